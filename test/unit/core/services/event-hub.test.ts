import { describe, expect, it } from 'vitest';
import { EventHub } from '../../../../electron/core/services/event-hub.ts';

const publish = (hub: EventHub, count: number): void => {
  for (let at = 0; at < count; at += 1) hub.publish('tasks.changed', { tasks: [] });
};

describe('the event hub', () => {
  it('tells every listener each event once, in order, until it leaves', () => {
    const hub = new EventHub();
    const heard: string[] = [];
    const off = hub.on(({ id }) => heard.push(id));
    publish(hub, 2);
    off();
    publish(hub, 1);
    expect(heard).toHaveLength(2);
    expect(heard).toEqual([...heard].sort());
  });

  it('can tell what came after an event, and that nothing did', () => {
    const hub = new EventHub();
    const start = hub.lastId;
    publish(hub, 3);
    const all = hub.since(start);
    expect(all).toHaveLength(3);
    expect(hub.since(all?.[0]?.id ?? '')).toEqual(all?.slice(1));
    expect(hub.since(hub.lastId)).toEqual([]);
  });

  it('says that it cannot tell what it no longer keeps, or what another core numbered', () => {
    const hub = new EventHub(2);
    const start = hub.lastId;
    publish(hub, 3);
    expect(hub.since(start)).toBeUndefined();
    expect(new EventHub().since(start)).toBeUndefined();
    expect(hub.since(`${start.split('-')[0] ?? ''}-99`)).toBeUndefined();
    expect(hub.since('')).toBeUndefined();
  });

  it('keeps no more than its bytes, however few the events', () => {
    const hub = new EventHub();
    const start = hub.lastId;
    const message = 'x'.repeat(1024 * 1024);
    for (let at = 0; at < 6; at += 1) {
      hub.publish('lab.changed', { lab: { state: 'starting', progress: { message } } });
    }
    expect(hub.since(start)).toBeUndefined();
    expect(hub.since(hub.lastId)).toEqual([]);
  });

  it('refuses what does not fit the contract', () => {
    expect(() => new EventHub().publish('lab.changed', { lab: { state: 'unheard of' } } as never)).toThrow();
  });
});
