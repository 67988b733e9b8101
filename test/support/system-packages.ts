/** Programs of the system that some suites need: installed where this may be done, otherwise the reason why not. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const exec = promisify(execFile);
/** On a slow mirror. */
const INSTALL_LIMIT_MS = 300_000;
/** Another installation at the same time is waited for. */
const LOCK_WAIT_S = 120;

export const isRunnable = (program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<boolean> =>
  exec(program, [...args], { env: { ...process.env, ...env }, timeout: 20_000 }).then(
    () => true,
    () => false,
  );

/** Throws a sentence where it may not be done: not root, no apt-get, no network. */
export async function installDebianPackages(packages: readonly string[]): Promise<void> {
  const names = packages.join(' ');
  if (process.getuid?.() !== 0 || !(await isRunnable('apt-get', ['--version']))) {
    throw new Error(`missing here; on Debian: sudo apt-get install ${names}`);
  }
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeout: INSTALL_LIMIT_MS };
  const lock = ['-o', `DPkg::Lock::Timeout=${LOCK_WAIT_S}`];
  try {
    await exec('apt-get', [...lock, 'update', '-qq'], options);
    await exec('apt-get', [...lock, 'install', '-y', '-qq', '--no-install-recommends', ...packages], options);
  } catch (error) {
    throw new Error(`apt-get could not install ${names}`, { cause: error });
  }
}
