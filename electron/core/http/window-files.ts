/** The built window for browsers: the same files that the desktop shows. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const NOT_BUILT = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lifeline</title></head>
<body><h1>Lifeline is running</h1>
<p>Its window has not been built yet. Run <code>npm run build</code>, then start it again. The API is served meanwhile.</p>
</body></html>
`;

export async function serveWindow(app: FastifyInstance, directory: string): Promise<void> {
  if (!existsSync(join(directory, 'index.html'))) {
    app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(NOT_BUILT));
    return;
  }
  // The headers of every answer forbid keeping it; the files are small and near.
  await app.register(fastifyStatic, { root: directory, cacheControl: false });
}
