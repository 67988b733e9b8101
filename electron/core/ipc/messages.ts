/** What comes from the desktop's shell, checked. */
import { z } from 'zod';
import type { ShellToCore } from '../../../shared/contract/desktop.ts';

const shellToCoreSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('start'), dataKey: z.string().optional() }),
  z.object({ kind: z.literal('call'), id: z.number(), name: z.string(), input: z.unknown() }),
  z.object({ kind: z.literal('stop') }),
]);

/** `undefined`: it is no message of ours. */
export function parseShellToCore(received: unknown): ShellToCore | undefined {
  const parsed = shellToCoreSchema.safeParse(received);
  // An absent key and one that is undefined are the same to every reader.
  return parsed.success ? (parsed.data as ShellToCore) : undefined;
}
