/** The places of the window. Addresses stand behind a hash: the same files are read from disk and over HTTP. */
import { createRouter, createWebHashHistory, type Router, type RouterHistory } from 'vue-router';
import ClusterView from '../features/clusters/views/ClusterView.vue';
import ClustersView from '../features/clusters/views/ClustersView.vue';
import LabView from '../features/lab/views/LabView.vue';
import OverviewView from '../features/overview/views/OverviewView.vue';
import NewProtectionView from '../features/protections/views/NewProtectionView.vue';
import ProtectionView from '../features/protections/views/ProtectionView.vue';
import ProtectionsView from '../features/protections/views/ProtectionsView.vue';

/** In the order of the rail; their number keys count from 1. */
export const PLACES = ['overview', 'protections', 'clusters', 'lab'] as const;
export type Place = (typeof PLACES)[number];

declare module 'vue-router' {
  interface RouteMeta {
    place: Place;
  }
}

export function createWindowRouter(history: RouterHistory = createWebHashHistory()): Router {
  return createRouter({
    history,
    routes: [
      { path: '/', name: 'overview', component: OverviewView, meta: { place: 'overview' } },
      { path: '/protections', name: 'protections', component: ProtectionsView, meta: { place: 'protections' } },
      { path: '/protections/new', name: 'newProtection', component: NewProtectionView, meta: { place: 'protections' } },
      // Not "/protections/:id": an id may be "new".
      {
        path: '/protection/:id',
        name: 'protection',
        component: ProtectionView,
        props: true,
        meta: { place: 'protections' },
      },
      { path: '/clusters', name: 'clusters', component: ClustersView, meta: { place: 'clusters' } },
      { path: '/clusters/new', name: 'newCluster', component: ClusterView, meta: { place: 'clusters' } },
      { path: '/cluster/:id', name: 'cluster', component: ClusterView, props: true, meta: { place: 'clusters' } },
      { path: '/lab', name: 'lab', component: LabView, meta: { place: 'lab' } },
      { path: '/:rest(.*)*', redirect: { name: 'overview' } },
    ],
  });
}
