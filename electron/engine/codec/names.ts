/** Milvus writes the database `default` as the empty string in much of its log. */
const DEFAULT_DATABASE = 'default';

export const databaseName = (name: string): string => (name === '' ? DEFAULT_DATABASE : name);
