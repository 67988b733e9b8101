/** Puts a defect into the source as it is loaded; the file itself stays as it is. */
import type { Plugin } from 'vite';
import type { Defect } from './defects.ts';

export const planted = ({ file, from, to }: Defect): Plugin => ({
  name: 'planted-defect',
  enforce: 'pre',
  transform: (code, id) => (id.endsWith(file) ? code.replace(from, () => to) : undefined),
});
