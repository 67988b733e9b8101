/** Installs the packages of the lock file where that is still to be done; for scripts that need them before a start or a test. */
import { ensureInstalled } from './setup.mjs';

await ensureInstalled();
