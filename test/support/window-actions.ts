/** What a person does in the window, one function each: the same in the desktop window and in a browser. */
import type { Locator, Page } from 'playwright-core';
import type { EtcdEndpoint, MilvusEndpoint, NatsEndpoint } from '../../shared/model/connection.ts';

/** The core answers at once; what takes longer is waited for by the test itself. */
const ACTION_LIMIT_MS = 20_000;

export interface ClusterInput {
  readonly name: string;
  readonly milvus?: MilvusEndpoint | undefined;
  readonly etcd?: EtcdEndpoint | undefined;
  readonly log?: NatsEndpoint | undefined;
}

const button = (page: Page | Locator, name: string | RegExp): Locator => page.getByRole('button', { name });
const joined = (addresses: readonly string[]): string => addresses.join(', ');

export async function openPlace(page: Page, place: 'Overview' | 'Protections' | 'Clusters' | 'Lab'): Promise<void> {
  await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: place }).click();
  await page.getByRole('heading', { level: 1 }).first().waitFor({ timeout: ACTION_LIMIT_MS });
}

async function fill(pane: Locator, fields: Readonly<Record<string, string | undefined>>): Promise<void> {
  for (const [label, text] of Object.entries(fields)) {
    if (text !== undefined) await pane.getByLabel(label, { exact: true }).fill(text);
  }
}

export async function fillCluster(page: Page, { name, milvus, etcd, log }: ClusterInput): Promise<void> {
  const pane = async (tab: string): Promise<Locator> => {
    await page.getByRole('tab', { name: tab }).click();
    return page.getByRole('tabpanel', { name: tab });
  };
  await page.getByLabel('Name', { exact: true }).fill(name);
  if (milvus !== undefined) {
    const { address, username, password } = milvus;
    await fill(await pane('Milvus'), { Address: address, 'User name': username, Password: password });
  }
  if (etcd !== undefined) {
    const { endpoints, rootPath, metaSubPath } = etcd;
    await fill(await pane('etcd'), {
      Endpoints: joined(endpoints),
      'Root path': rootPath,
      'Meta sub-path': metaSubPath,
    });
  }
  if (log !== undefined) {
    const { servers, channelPrefix, username, password, token } = log;
    const secrets = { 'User name': username, Password: password, 'Token or API key': token };
    await fill(await pane('Log'), { Servers: joined(servers), 'Channel prefix': channelPrefix, ...secrets });
  }
}

/** @returns what the test says in the end, with each hop's sentence. */
export async function testConnection(page: Page): Promise<string> {
  await button(page, 'Test connection').click();
  const result = page.getByRole('region', { name: 'Connection test' });
  await result.getByText(/Everything that was tested works|Not everything works yet/).waitFor({ timeout: 60_000 });
  return result.innerText();
}

/** @returns what its connection test found. */
export async function addCluster(page: Page, cluster: ClusterInput): Promise<string> {
  await openPlace(page, 'Clusters');
  await button(page, 'Add cluster').click();
  await fillCluster(page, cluster);
  const found = await testConnection(page);
  await button(page, 'Save').click();
  await page.getByRole('cell', { name: cluster.name }).first().waitFor({ timeout: ACTION_LIMIT_MS });
  return found;
}

export async function createProtection(
  page: Page,
  input: { source: string; target: string; name: string },
): Promise<void> {
  await openPlace(page, 'Protections');
  await button(page, 'New protection').click();
  await page.getByRole('radio', { name: input.source }).check();
  await button(page, 'Next').click();
  await page.getByRole('radio', { name: input.target }).check();
  await button(page, 'Next').click();
  // What the wizard proposes: everything, and a copy where the source's rows can be read.
  await button(page, 'Next').click();
  await button(page, 'Next').click();
  await page.getByRole('textbox', { name: 'Name' }).fill(input.name);
  await button(page, 'Next').click();
  await button(page, 'Create protection').click();
  await page
    .getByText('From source to target')
    .or(page.getByRole('heading', { name: input.name }))
    .first()
    .waitFor({ timeout: ACTION_LIMIT_MS });
}

/** Both stay on the list of protections. */
export async function pauseProtection(page: Page, name: string): Promise<void> {
  await openPlace(page, 'Protections');
  await button(page, `Pause ${name}`).click();
  await button(page, `Resume ${name}`).waitFor({ timeout: ACTION_LIMIT_MS });
}

export async function resumeProtection(page: Page, name: string): Promise<void> {
  await openPlace(page, 'Protections');
  await button(page, `Resume ${name}`).click();
  await button(page, `Pause ${name}`).waitFor({ timeout: ACTION_LIMIT_MS });
}

export interface ProtectionLine {
  readonly state: string;
  /** `undefined`: not known yet. */
  readonly rowsWritten: number | undefined;
}

/** As the list of protections shows it. */
export async function readProtection(page: Page, name: string): Promise<ProtectionLine> {
  if ((await page.getByRole('columnheader', { name: 'Rows written' }).count()) === 0)
    await openPlace(page, 'Protections');
  const headings = await page.getByRole('columnheader').allInnerTexts();
  const texts = await page.getByRole('row', { name }).first().getByRole('cell').allInnerTexts();
  const under = (heading: string): string =>
    (texts[headings.findIndex((text) => text.trim().startsWith(heading))] ?? '').trim();
  const digits = under('Rows written').replaceAll(/\D/g, '');
  return { state: under('State'), rowsWritten: digits === '' ? undefined : Number(digits) };
}
