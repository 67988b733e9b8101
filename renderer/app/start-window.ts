/** Puts the window together around a client. */
import { createPinia } from 'pinia';
import { createApp, type App as VueApp } from 'vue';
import type { ContractClient } from '../../shared/contract/client.ts';
import App from './App.vue';
import { clientKey } from './client.ts';
import { withLineErrors } from './line-error.ts';
import { createTexts } from './i18n/index.ts';
import { useProblems } from './problems.store.ts';
import { createWindowRouter } from './router.ts';
import './styles/element-plus.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/forms.css';

export function startWindow(client: ContractClient, place: string | Element): VueApp {
  const app = createApp(App);
  app.provide(clientKey, withLineErrors(client));
  app.use(createPinia());
  app.use(createTexts());
  app.use(createWindowRouter());

  const problems = app.runWithContext(() => useProblems());
  app.config.errorHandler = (thrown) => {
    console.error(thrown);
    problems.report(thrown);
  };
  window.addEventListener('unhandledrejection', ({ reason }) => problems.report(reason));

  app.mount(place);
  return app;
}
