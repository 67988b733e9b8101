/** The target as the operator wants copies to be: its own replica number, resource groups, shards and consistency level. */
import { CONSISTENCY_LEVELS, type TargetOverrides } from '../../../shared/model/operation-policy.ts';
import { withLoadOverrides } from '../codec/load-request.ts';
import type { Target } from '../target/target.ts';

/** @param overrides Asked with each call: they may change while the task runs, and hold for what is made or loaded from then on. */
export function withOverrides(target: Target, overrides: () => TargetOverrides): Target {
  const own: Pick<Target, 'createCollection' | 'loadCollection' | 'loadPartitions'> = {
    createCollection: (spec, signal) => {
      const { shardNumber, consistencyLevel } = overrides();
      return target.createCollection(
        {
          ...spec,
          shardCount: shardNumber ?? spec.shardCount,
          // `common.ConsistencyLevel` counts in the same order.
          consistencyLevel:
            consistencyLevel === undefined ? spec.consistencyLevel : CONSISTENCY_LEVELS.indexOf(consistencyLevel),
        },
        signal,
      );
    },
    loadCollection: (request, signal) =>
      target.loadCollection(withLoadOverrides('loadCollection', request, overrides()), signal),
    loadPartitions: (request, signal) =>
      target.loadPartitions(withLoadOverrides('loadPartitions', request, overrides()), signal),
  };
  return new Proxy(target, {
    get: (found, name) => {
      if (name in own) return Reflect.get(own, name) as unknown;
      const value: unknown = Reflect.get(found, name, found);
      return typeof value === 'function' ? (value.bind(found) as unknown) : value;
    },
  });
}
