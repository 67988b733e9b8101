/** The program: parses the command line and runs one command of the core. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { toReplicationError } from '../../shared/model/replication-error.ts';
import { drill, type DrillOptions } from './commands/drill.ts';
import { serve, type ServeOptions } from './commands/serve.ts';

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

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

const logLevel = new Option('--log-level <level>', 'how much the log on standard error says')
  .choices(['debug', 'info', 'warn', 'error', 'silent'])
  .default('warn')
  .env('LIFELINE_LOG_LEVEL');

const program = new Command('lifeline')
  .description('Disaster recovery for Milvus: every change of a source arrives, in order, in a target.')
  .helpCommand(false)
  .showHelpAfterError('(npm start -- --help shows all commands)');

program
  .command('serve', { isDefault: true })
  .description('run the tasks of the data folder until stopped (the default)')
  .option('--task <file>', 'also run the task in this file (may be repeated)', collect, [])
  .option('--until-level', 'stop when the targets hold all that is in the logs now; exit code 0 says that they do')
  .option('--data-dir <folder>', "where Lifeline keeps its data (default: the platform's place, or LIFELINE_DATA_DIR)")
  .addOption(logLevel)
  .action(async (options: ServeOptions) => {
    process.exitCode = await serve(options, stopping.signal, print);
  });

program
  .command('drill')
  .description('rehearse on two real servers on this machine: load the source, replicate, compare, report')
  .option('--json <file>', 'write the report to this file')
  .addOption(new Option('--wal <kind>', "the source's log").choices(['nats']).default('nats'))
  .option('--rows <count>', 'rows to insert', wholeNumber, 20_000)
  .option('--seconds <seconds>', 'spread the load over this time; 0: as fast as possible', wholeNumber, 20)
  .option('--seed <number>', 'repeat the load of an earlier drill', wholeNumber)
  .option('--wheel <file>', 'the Milvus server as a wheel at hand, instead of fetching it')
  .addOption(logLevel)
  // Damages the target before the comparison, which must then find it: the drill that drills the drill.
  .addOption(new Option('--sabotage <kind>').choices(['drop', 'double', 'flip']).hideHelp())
  .action(async (options: DrillOptions) => {
    process.exitCode = await drill(options, stopping.signal);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${toReplicationError(error).message}\n`);
  process.exitCode = 1;
}
