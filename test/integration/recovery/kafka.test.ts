/** The broker that keeps both logs is killed. It takes Java, and minutes: in `npm run test:full` only. */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { announceSeed, attachFigures } from '../../support/lab-figures.ts';
import { LabLife } from '../../support/lab-life.ts';
import { createSteady, runSteady } from '../../support/lab-load.ts';
import { Moments } from '../../support/lab-moments.ts';
import { IS_FULL, labRandom, spreadPlaces } from '../../support/lab-seed.ts';
import { kafkaMissing } from '../../contract/wal/kafka-harness.ts';

const KILLS = 3;
/** Once the broker stays away for longer than a write's deadline (10 s): the target then answers that it gave up. */
const KILL_THAT_LASTS = 2;
const OUTAGE_MS = 20_000;
const ROWS = 40_000;

beforeEach(announceSeed);

describe.runIf(IS_FULL && kafkaMissing === undefined)('Kafka killed with -9 under a mixed load', () => {
  it(`${KILLS} times: nothing is lost, nothing twice`, { timeout: 900_000 }, async (context) => {
    await using life = await LabLife.begin({ wal: 'kafka' });
    const { kafka, source, target } = life.lab;
    if (kafka === undefined) throw new Error('This lab has no Kafka.');
    let serversEnded = 0;
    let killsSoFar = 0;
    const killKafka = async (): Promise<void> => {
      await kafka.kill();
      killsSoFar += 1;
      if (killsSoFar === KILL_THAT_LASTS) await delay(OUTAGE_MS);
      await kafka.start();
      // A Milvus may end itself when its log goes away; whoever runs it starts it again.
      for (const { instance } of [source, target]) {
        if (instance.isRunning) continue;
        serversEnded += 1;
        await instance.start();
      }
    };
    const random = labRandom('kafka');
    const moments = new Moments(
      spreadPlaces(random.fork('moments'), KILLS, ROWS * 0.1, ROWS * 0.9).map((atRows) => ({ atRows, run: killKafka })),
    );
    const collections = await createSteady(life.session, random, 'kafka');
    life.task.start();
    await runSteady(life.session, collections, random, {
      rows: ROWS,
      // As fast as it goes, so that there is always a write under way.
      seconds: 0,
      onRowsInserted: moments.onRowsInserted,
    });
    await moments.settle();
    attachFigures(context, { kafkaKills: KILLS, milvusEndedItself: serversEnded });
    const waitsForAPerson = life.task.lines.filter(
      (line) => / is (?:blocked|failed|held): /.test(line) && !line.includes('Retrying by itself'),
    );
    expect(waitsForAPerson).toEqual([]);
    const { rowsSource, levelMs } = await life.untilEqual();
    const { unknownSeen, refusalsSeen } = life.session;
    attachFigures(context, {
      rowsCompared: rowsSource,
      levelMs,
      answersLostAtSource: unknownSeen + refusalsSeen,
      ...life.coreFigures,
    });
  });
});
