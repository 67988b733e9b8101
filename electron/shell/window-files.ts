/** Which file and which headers an address of the window has. */
import { extname, join, normalize, sep } from 'path';

export const SCHEME = 'lifeline';
const HOST = 'app';
export const WINDOW_URL = `${SCHEME}://${HOST}/index.html`;

/** Styles are set from scripts by the components' library; scripts come from our files and from nowhere else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-src 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

export function isWindowUrl(url: string): boolean {
  try {
    const { protocol: scheme, host } = new URL(url);
    return scheme === `${SCHEME}:` && host === HOST;
  } catch {
    // What is no address is not ours.
    return false;
  }
}

/** Undefined for what lies outside of the folder. */
export function fileOf(directory: string, url: string): string | undefined {
  let path: string;
  try {
    const parsed = new URL(url);
    if (parsed.host !== HOST) return undefined;
    path = decodeURIComponent(parsed.pathname);
  } catch {
    // An address that cannot be read names no file.
    return undefined;
  }
  if (path.includes('\0')) return undefined;
  const file = normalize(join(directory, path === '/' ? 'index.html' : path));
  return file.startsWith(directory + sep) ? file : undefined;
}

export function headersOf(file: string): Record<string, string> {
  const type = TYPES[extname(file)] ?? 'application/octet-stream';
  const isText = type.startsWith('text/') || type.endsWith('json');
  return {
    'Content-Type': isText ? `${type}; charset=utf-8` : type,
    'Content-Security-Policy': POLICY,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-cache',
  };
}
