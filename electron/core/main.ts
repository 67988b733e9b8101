/**
 * The program: parses the command line and runs one command of the core. Each command is loaded when it is asked for: what
 * the others need takes longer to load than a person waits gladly.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { DESKTOP_COMMAND } from '../../shared/contract/desktop.ts';
import { toReplicationError } from '../../shared/model/replication-error.ts';
import type { DesktopOptions } from './commands/desktop.ts';
import type { BenchOptions } from './commands/bench.ts';
import type { DrillOptions } from './commands/drill.ts';
import type { ServeOptions } from './commands/serve.ts';

const stopping = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    process.stderr.write('\nStopping. Press Ctrl-C once more to end at once.\n');
    stopping.abort(new Error('Stopped by the operator.'));
    process.once(name, () => process.exit(130));
  });
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('A whole number is needed, such as 20000.');
  return value;
}

function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('A port is a number from 1 to 65535.');
  return value;
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

const logLevel = new Option('--log-level <level>', 'how much the log on standard error says')
  .choices(['debug', 'info', 'warn', 'error', 'silent'])
  .default('warn')
  .env('LIFELINE_LOG_LEVEL');

const dataDir = new Option(
  '--data-dir <folder>',
  "where Lifeline keeps its data (default: the platform's place, or LIFELINE_DATA_DIR)",
);

const program = new Command('lifeline')
  .description('Disaster recovery for Milvus: every change of a source arrives, in order, in a target.')
  .helpCommand(false)
  .showHelpAfterError('(npm start -- --help shows all commands)');

program
  .command('serve', { isDefault: true })
  .description('run the protections of the data folder and serve the window, until stopped (the default)')
  .option('--task <file>', 'also run the task in this file (may be repeated)', collect, [])
  .option('--until-level', 'stop when the targets hold all that is in the logs now; exit code 0 says that they do')
  .option('--port <port>', 'of the window and the API (default: the one of the last time, or a free one)', portNumber)
  .option('--host <address>', 'the interface to listen on; others than this one let other machines in', '127.0.0.1')
  .addOption(dataDir)
  .addOption(logLevel)
  .action(async (options: ServeOptions) => {
    const { serve } = await import('./commands/serve.ts');
    process.exitCode = await serve(options, stopping.signal, print);
  });

program
  .command('sign-in')
  .description('print another one-time link to the window of a running core')
  .addOption(dataDir)
  .action(async (options: { dataDir?: string }) => {
    const { signIn } = await import('./commands/sign-in.ts');
    await signIn(options, print);
  });

program
  .command(DESKTOP_COMMAND, { hidden: true })
  .description('the core as a child of the desktop window')
  .addOption(dataDir)
  .addOption(logLevel)
  .action(async (options: DesktopOptions) => {
    const { desktop } = await import('./commands/desktop.ts');
    process.exitCode = await desktop(options, stopping.signal);
  });

program
  .command('drill')
  .description('rehearse on two real servers on this machine: load the source, replicate, compare, report')
  .option('--json <file>', 'write the report to this file')
  .addOption(new Option('--wal <kind>', "the source's log").choices(['nats', 'kafka']).default('nats'))
  .option('--rows <count>', 'rows to insert', wholeNumber, 20_000)
  .option('--seconds <seconds>', 'spread the load over this time; 0: as fast as possible', wholeNumber, 20)
  .option('--seed <number>', 'repeat the load of an earlier drill', wholeNumber)
  .option('--wheel <file>', 'the Milvus server as a wheel at hand, instead of fetching it')
  .addOption(logLevel)
  // Damages the target before the comparison, which must then find it: the drill that drills the drill.
  .addOption(new Option('--sabotage <kind>').choices(['drop', 'double', 'flip']).hideHelp())
  .action(async (options: DrillOptions) => {
    const { drill } = await import('./commands/drill.ts');
    process.exitCode = await drill(options, stopping.signal);
  });

program
  .command('bench')
  .description('measure on two real servers on this machine')
  .option('--json <file>', 'write the figures to this file')
  .addOption(new Option('--wal <kind>', "the source's log").choices(['nats', 'kafka']).default('nats'))
  .option('--rows <count>', 'rows of each round of copy and catch-up (default: 200,000)', wholeNumber)
  .option('--rounds <count>', 'how often the product and what it is compared with take turns (default: 3)', wholeNumber)
  .option('--seconds <seconds>', 'how long to follow, and to write single rows (default: 20)', wholeNumber)
  .option(
    '--slope-minutes <minutes>',
    'how long to watch memory; 15 for a figure that counts (default: 1)',
    wholeNumber,
  )
  .option('--collections <count>', 'the most collections of one protection (default: 100)', wholeNumber)
  .option('--phases <names>', 'only some, by comma: copy, catch-up, follow, lag, collections, memory')
  .option('--quick', 'very little of everything, to see that it runs')
  .option('--shell', 'with the desktop window around the core, or not at all (default: where it can be had)')
  .option('--no-shell', 'the core alone')
  .option('--profile <folder>', 'write CPU profiles of the core and of each task to this folder (with --no-shell)')
  .addOption(new Option('--electron <program>').hideHelp())
  .addOption(logLevel)
  .action(async (options: BenchOptions) => {
    const { bench } = await import('./commands/bench.ts');
    process.exitCode = await bench(options, stopping.signal, print);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${toReplicationError(error).message}\n`);
  process.exitCode = 1;
}
