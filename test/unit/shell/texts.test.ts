import { describe, expect, it } from 'vitest';
import { textsFor } from '../../../electron/shell/texts.ts';

describe("the shell's words", () => {
  it('follow the language and the script of the system', () => {
    expect(textsFor('de').quit).toBe('Quit Lifeline');
    expect(textsFor('zh-CN').quit).toBe('退出 Lifeline');
    expect(textsFor('zh').quit).toBe('退出 Lifeline');
    expect(textsFor('zh-Hans-HK').quit).toBe('退出 Lifeline');
    for (const locale of ['zh-TW', 'zh-HK', 'zh-Hant', 'zh-Hant-MO'])
      expect(textsFor(locale).quit).toBe('結束 Lifeline');
  });
});
