import { describe, expect, it } from 'vitest';
import { fileOf, headersOf, isWindowUrl, WINDOW_URL } from '../../../electron/shell/window-files.ts';

describe("the window's addresses", () => {
  it('name files of the window', () => {
    expect(fileOf('/w', WINDOW_URL)).toBe('/w/index.html');
    expect(fileOf('/w', 'lifeline://app/')).toBe('/w/index.html');
    expect(fileOf('/w', 'lifeline://app/assets/a%20b.js?x#y')).toBe('/w/assets/a b.js');
  });

  it('name nothing outside of it', () => {
    for (const path of ['..%2f..%2fetc/passwd', '%2e%2e/%2e%2e/x', '..%2fwindow2/x', 'a%00.js', '%']) {
      expect(fileOf('/w', `lifeline://app/${path}`) ?? '/w/').toMatch(/^\/w\//);
    }
    expect(fileOf('/w', 'lifeline://app/..%2fw2/x')).toBeUndefined();
    expect(fileOf('/w', 'lifeline://other/index.html')).toBeUndefined();
    expect(fileOf('/w', 'no address')).toBeUndefined();
  });

  it('are told from all others', () => {
    expect(isWindowUrl(WINDOW_URL)).toBe(true);
    for (const url of ['lifeline://other/', 'https://app/', 'file:///index.html', 'about:blank', '']) {
      expect(isWindowUrl(url)).toBe(false);
    }
  });

  it('carry a policy that allows scripts of ours only', () => {
    const policy = headersOf('a.html')['Content-Security-Policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(headersOf('a.js')['Content-Type']).toBe('text/javascript; charset=utf-8');
  });
});
