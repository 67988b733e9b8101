/** `npm start -- sign-in`: asks the core that serves the data folder for another one-time link. */
import { z } from 'zod';
import { ReplicationError } from '../../../shared/model/replication-error.ts';
import { openDataFolder } from '../data-folder.ts';
import { openAccessToken } from '../http/access.ts';
import { rememberedPort } from '../http/remembered-port.ts';

const TIMEOUT_MS = 5_000;
const answerSchema = z.object({ link: z.string() });

/** @throws unreachable: no core serves the folder at the port it remembers. */
export async function signIn({ dataDir }: { readonly dataDir?: string }, print: (line: string) => void): Promise<void> {
  const { directory } = openDataFolder(dataDir);
  const port = rememberedPort(directory);
  let link: string;
  try {
    const response = await fetch(`http://127.0.0.1:${port ?? 0}/api/sign-in-link`, {
      method: 'POST',
      headers: { authorization: `Bearer ${openAccessToken(directory)}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    ({ link } = answerSchema.parse(await response.json()));
  } catch (error) {
    throw new ReplicationError(
      'unreachable',
      'config',
      `No Lifeline answers for the data folder ${directory}. Start it with: npm start -- --headless`,
      { cause: error },
    );
  }
  print('Sign in with this link, once, within 15 minutes:');
  print(`  ${link}`);
}
