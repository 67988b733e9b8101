import { describe, expect, it } from 'vitest';
import { kafkaSettings, renderProperties } from '../../../../electron/core/lab/kafka-config.ts';
import { causeInKafkaLog } from '../../../../electron/core/lab/kafka-instance.ts';
import { javaCommand, javaInstallSentence, majorVersion } from '../../../../electron/core/lab/kafka-java.ts';
import { causeInMaven, downloadedBytes } from '../../../../electron/core/lab/kafka-package.ts';

describe("the machine's Java", () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['The program was not found', undefined],
  ])('is known by what it says: %s', (said, major) => {
    expect(majorVersion(said)).toBe(major);
  });

  it('is the one of JAVA_HOME where that is set', () => {
    expect(javaCommand({ JAVA_HOME: '/opt/java' })).toBe('/opt/java/bin/java');
    expect(javaCommand({ JAVA_HOME: '' })).toBe('java');
    expect(javaCommand({})).toBe('java');
  });

  it('is installed with a command that is named for the distribution, where it is known', () => {
    expect(javaInstallSentence('ID=ubuntu\nID_LIKE=debian\n')).toContain(
      'sudo apt install openjdk-17-jre-headless maven',
    );
    expect(javaInstallSentence('ID="rocky"\nID_LIKE="rhel centos fedora"\n')).toContain('sudo dnf install');
    expect(javaInstallSentence('')).toContain("with your system's package manager");
  });
});

describe('fetching with Maven', () => {
  it('counts what was downloaded', () => {
    const line = '[INFO] Downloaded from central: https://repo.example/zstd-jni-1.5.6-3.jar (6.7 MB at 48 MB/s)';
    expect(downloadedBytes(line)).toBe(6_700_000);
    expect(downloadedBytes('[INFO] Downloaded from central: https://repo.example/a.pom (18 kB at 74 kB/s)')).toBe(
      18_000,
    );
    expect(downloadedBytes('[INFO] Downloading from central: https://repo.example/a.pom')).toBe(0);
  });

  it('tells its first error, without credentials', () => {
    const output = [
      '[INFO] Scanning for projects...',
      '[ERROR] Failed to execute goal: Connect to //user:secret@repo.example failed: Connection refused -> [Help 1]',
      '[ERROR] To see the full stack trace',
    ].join('\n');
    expect(causeInMaven(output)).toBe('Failed to execute goal: Connect to //repo.example failed: Connection refused.');
  });
});

describe("the lab's Kafka", () => {
  it('listens on 127.0.0.1 alone', () => {
    const settings = kafkaSettings('/lab/kafka', { broker: 20_001, controller: 20_002 }, {});
    const addresses = Object.values(settings).flatMap((value) => String(value).match(/[^/@]+:2000[12]/g) ?? []);
    expect(addresses.length).toBeGreaterThanOrEqual(4);
    expect(addresses.every((address) => address.startsWith('127.0.0.1:'))).toBe(true);
  });

  it('writes values of several lines in one', () => {
    expect(renderProperties({ a: 1, key: 'one\ntwo\\' })).toBe('a=1\nkey=one\\ntwo\\\\\n');
  });

  it('tells why it ended', () => {
    const log = [
      '[main] ERROR kafka.Kafka$ - Exiting Kafka due to fatal exception',
      'org.apache.kafka.common.config.ConfigException: Invalid value x for configuration node.id',
      '\tat org.apache.kafka',
    ].join('\n');
    expect(causeInKafkaLog(log)).toBe('It said: Invalid value x for configuration node.id.');
    expect(causeInKafkaLog('nothing')).toBe('It gave no reason.');
  });
});
