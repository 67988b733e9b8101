/**
 * Serves the built window under an origin of its own, `lifeline://app`, with the content policy as a header. A scheme of
 * our own rather than file://, because every local file shares that one's origin.
 */
import { protocol } from 'electron';
import { readFile } from 'fs';
import { fileOf, headersOf, SCHEME } from './window-files.ts';

const MISSING =
  '<!doctype html><meta charset="utf-8"><title>Lifeline</title><p>The window is not built. Run: npm run build</p>';

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly data: Buffer;
}

/** To be called before the application is ready. */
export function declareWindowScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

/** To be called once the application is ready. */
export function serveWindow(directory: string): void {
  // Gone from some Electron to come, and `handle` does not exist before 25.
  const modern = (protocol as Partial<typeof protocol>).handle;
  if (modern !== undefined) {
    protocol.handle(SCHEME, async (request) => {
      const { statusCode, headers, data } = await answer(directory, request.url);
      return new Response(new Uint8Array(data), { status: statusCode, headers });
    });
    return;
  }
  protocol.registerBufferProtocol(SCHEME, (request, callback) => {
    void answer(directory, request.url).then(callback);
  });
}

function answer(directory: string, url: string): Promise<Answer> {
  const file = fileOf(directory, url);
  if (file === undefined) return Promise.resolve(page(404, 'Not found'));
  return new Promise((resolve) => {
    readFile(file, (error, data) => {
      if (error === null) resolve({ statusCode: 200, headers: headersOf(file), data });
      else resolve(file.endsWith('index.html') ? page(200, MISSING) : page(404, 'Not found'));
    });
  });
}

const page = (statusCode: number, text: string): Answer => ({
  statusCode,
  headers: headersOf('.html'),
  data: Buffer.from(text),
});
