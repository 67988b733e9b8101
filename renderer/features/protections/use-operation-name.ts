/** Operations in the chosen language; what no version knows keeps the number that it has. */
import { useI18n } from 'vue-i18n';
import type { OperationRecordView } from '../../../shared/contract/procedures.ts';

export function useOperationName() {
  const i18n = useI18n();
  return {
    nameOf: (operation: string): string => {
      const key = `operations.names.${operation}`;
      return i18n.te(key) ? i18n.t(key) : operation;
    },
    subjectOf: ({ database, collection, object }: OperationRecordView): string => {
      const of = collection === undefined ? database : `${database}.${collection.name}`;
      return [of, object].filter((part) => part !== undefined && part !== '').join(' · ');
    },
  };
}
