/** Puts stores and views of the window on a fake core, as `startWindow` does on a real one. */
import { flushPromises, mount, type VueWrapper } from '@vue/test-utils';
import { createPinia } from 'pinia';
import { createApp, type App, type Component } from 'vue';
import { createMemoryHistory, type Router } from 'vue-router';
import { clientKey } from '../../../renderer/app/client.ts';
import { withLineErrors } from '../../../renderer/app/line-error.ts';
import { createTexts, type Language } from '../../../renderer/app/i18n/index.ts';
import { createWindowRouter } from '../../../renderer/app/router.ts';
import RootView from '../../../renderer/app/App.vue';
import type { ContractClient } from '../../../shared/contract/client.ts';

/** Stores alone. */
export function withStores(client: ContractClient): App {
  const app = createApp({});
  app.provide(clientKey, client);
  app.use(createPinia());
  return app;
}

export interface MountedWindow {
  readonly window: VueWrapper;
  readonly router: Router;
  /** All text that is shown, dialogs included. */
  readonly text: () => string;
  readonly press: (name: string) => Promise<void>;
}

/** The one of the test before: windows hear the document's keys, and would all follow them. */
let previous: VueWrapper | undefined;

/** The whole window at one address. */
export async function mountWindow(
  client: ContractClient,
  path: string,
  language: Language = 'en',
): Promise<MountedWindow> {
  previous?.unmount();
  localStorage.clear();
  document.body.innerHTML = '';
  const router = createWindowRouter(createMemoryHistory());
  await router.push(path);
  const place = document.createElement('div');
  document.body.append(place);
  const window = mount(RootView as Component, {
    attachTo: place,
    global: {
      plugins: [createPinia(), createTexts(language), router],
      provide: { [clientKey as symbol]: withLineErrors(client) },
    },
  });
  previous = window;
  await flushPromises();
  const text = (): string => document.body.textContent.replace(/\s+/g, ' ');
  return {
    window,
    router,
    text,
    async press(name) {
      const buttons = [...document.body.querySelectorAll('button')];
      const found = buttons.findLast(
        (button) => (button.getAttribute('aria-label') ?? button.textContent.trim()) === name,
      );
      if (found === undefined) throw new Error(`There is no button "${name}". The page says: ${text()}`);
      found.click();
      await flushPromises();
    },
  };
}
