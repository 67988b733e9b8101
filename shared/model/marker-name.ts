/**
 * The one name that Lifeline gives to a collection of its own in a target: its marker (`engine/target/target-marker.ts`). A
 * cluster that is a target may be the source of another task, which must not replicate it; nor is it part of what a
 * comparison of two clusters compares.
 */
export const MARKER_DATABASE = 'default';

const MARKER_NAME = /^_lifeline_marker_[0-9a-f]{16}$/;

/** @param digest 16 hexadecimal digits that stand for the source. */
export const markerName = (digest: string): string => `_lifeline_marker_${digest}`;

export const isMarker = (database: string, collection: string): boolean =>
  database === MARKER_DATABASE && MARKER_NAME.test(collection);
