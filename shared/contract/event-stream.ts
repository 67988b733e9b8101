/** Server-sent events as both ends of our own line need them: one writer, one parser. */

export interface StreamedEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: string;
}

/** @param data One line: JSON without line breaks. */
export function formatStreamedEvent(name: string, data: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${data}\n\n`;
}

/** Takes the bytes as they come, cut anywhere, and returns the events that are complete. */
export function createEventStreamParser(): (bytes: Uint8Array) => StreamedEvent[] {
  const Decoder = (globalThis as unknown as { TextDecoder: TextDecoderType }).TextDecoder;
  const decoder = new Decoder();
  let rest = '';
  return (bytes) => {
    rest += decoder.decode(bytes, { stream: true });
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => parseBlock(block) ?? []);
  };
}

/** `undefined`: a comment, which only shows that the line lives. */
function parseBlock(block: string): StreamedEvent | undefined {
  let id: string | undefined;
  let name: string | undefined;
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    else if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data += line.slice(6);
  }
  return name === undefined ? undefined : { id, name, data };
}

type TextDecoderType = new () => { decode(bytes: Uint8Array, options: { stream: boolean }): string };
