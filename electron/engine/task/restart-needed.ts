/** The task has changed its own stored state and must be started over. Nothing is wrong. */
export class RestartNeeded extends Error {
  override readonly name = 'RestartNeeded';
}
