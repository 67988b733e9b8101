/** Differences between two collections other than their rows, each as one sentence. Pure. */
import type { CollectionShape, FieldShape } from './collection-shape.ts';

export function compareShapes(source: CollectionShape, target: CollectionShape): string[] {
  const differences: string[] = [];
  const same = (what: string, ofSource: string | number | boolean, ofTarget: string | number | boolean): void => {
    if (ofSource !== ofTarget) {
      differences.push(`The ${what} is ${shown(ofSource)} on the source and ${shown(ofTarget)} on the target.`);
    }
  };
  differences.push(...compareFields(source.fields, target.fields));
  differences.push(...compareSets('function', source.functions, target.functions));
  same('dynamic field', onOff(source.isDynamic), onOff(target.isDynamic));
  same('description', source.description, target.description);
  same('number of shards', source.shards, target.shards);
  same('consistency level', source.consistencyLevel, target.consistencyLevel);
  same('set of properties', source.properties, target.properties);
  // The server names the partitions of a partition key itself; their number decides where rows go.
  if (source.hasPartitionKey) same('number of partitions', source.partitions.length, target.partitions.length);
  else differences.push(...compareSets('partition', source.partitions, target.partitions));
  differences.push(...compareSets('index', source.indexes, target.indexes));
  same('load state', isLoaded(source), isLoaded(target));
  if (!source.hasPartitionKey && isLoaded(source) === isLoaded(target)) {
    differences.push(...compareSets('loaded partition', source.loadedPartitions, target.loadedPartitions));
  }
  return differences;
}

function compareFields(source: readonly FieldShape[], target: readonly FieldShape[]): string[] {
  const ofTarget = new Map(target.map((field) => [field.name, field]));
  const differences = compareSets(
    'field',
    source.map(({ name }) => name),
    target.map(({ name }) => name),
  );
  for (const field of source) {
    const other = ofTarget.get(field.name);
    if (other === undefined) continue;
    if (field.definition !== other.definition) {
      differences.push(
        `The field ${field.name} is "${field.definition}" on the source and "${other.definition}" on the target.`,
      );
    }
    // Generated on the source and kept as they are on the target is how a replica has to be; the reverse is not.
    if (other.isGenerated)
      differences.push(`The target generates ${field.name} itself, so it cannot keep the source's keys.`);
  }
  return differences;
}

function compareSets(what: string, source: readonly string[], target: readonly string[]): string[] {
  return [
    ...source.filter((name) => !target.includes(name)).map((name) => `The target lacks the ${what} ${name}.`),
    ...target.filter((name) => !source.includes(name)).map((name) => `Only the target has the ${what} ${name}.`),
  ];
}

const onOff = (isOn: boolean): string => (isOn ? 'on' : 'off');
/** A load that is under way is what was asked for. */
const isLoaded = ({ loadState }: CollectionShape): string => (loadState === 'notLoaded' ? 'not loaded' : 'loaded');
const shown = (value: string | number | boolean): string => (value === '' ? 'empty' : String(value));
