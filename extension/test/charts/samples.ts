/** Samples as an instance sends them, with what a test cares about. */

import type {
  ApplicationSample,
  ApplicationStatusOverview,
  DeploymentSample,
  ReplicaSample,
  Sample,
  ServeStatus
} from '../../src/protocol';

export const traffic = (given: Partial<ApplicationSample> = {}): ApplicationSample => ({
  requests_per_s: 0,
  errors_per_s: 0,
  p50_ms: null,
  p95_ms: null,
  p99_ms: null,
  ...given
});

export const deployment = (
  given: Partial<DeploymentSample> = {}
): DeploymentSample => ({
  ...traffic(),
  ongoing: 0,
  queued: 0,
  replicas: 1,
  target: 1,
  ...given
});

export const replica = (given: Partial<ReplicaSample> = {}): ReplicaSample => ({
  deployment: 'default#Doubler',
  requests_per_s: 0,
  errors_per_s: 0,
  p99_ms: null,
  ongoing: 0,
  cpu_cores: 0,
  memory_bytes: 0,
  ...given
});

export const sample = (at_s: number, given: Partial<Sample> = {}): Sample => ({
  at_s,
  applications: { default: traffic() },
  deployments: { 'default#Doubler': deployment() },
  replicas: {},
  ...given
});

export const application = (
  given: Partial<ApplicationStatusOverview> = {}
): ApplicationStatusOverview => ({
  status: 'RUNNING',
  message: '',
  last_deployed_time_s: 0,
  deployments: {},
  route_prefix: '/',
  url: 'http://127.0.0.1:8000/',
  ingress: 'Doubler',
  owner: { notebook: '', cell: '' },
  ...given
});

export const status = (
  applications: Record<string, ApplicationStatusOverview> = {}
): ServeStatus => ({
  proxies: {},
  applications,
  target_capacity: null,
  instance: {
    id: 'i1',
    version: '0',
    ray_version: '2',
    http_url: 'http://127.0.0.1:8000',
    notes: [],
    pids: {},
    grpc_address: ''
  }
});
