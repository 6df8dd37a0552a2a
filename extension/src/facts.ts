/** What there is to say of one line of the tree, in full. Pure. */

import { clock } from './charts/format';
import * as format from './format';
import type { Known } from './model';
import { deploymentKey, kindOf, type Place } from './place';
import type { ApplicationSample, ReplicaSample } from './protocol';
import { spoken } from './rows';
import { isReachable } from './snippets';

export type Fact = {
  readonly name: string;
  readonly value: string;
  readonly url?: string;
};

export type Facts = {
  readonly title: string;
  /** What went wrong, as the user's code said it; '' if nothing did. */
  readonly message: string;
  readonly facts: readonly Fact[];
  /** Replicas that there should be, of a deployment. */
  readonly target?: number;
};

/** Undefined if there is no such line any more. */
export function facts(known: Known, at: Place): Facts | undefined {
  switch (kindOf(at)) {
    case 'instance':
      return ofInstance(known);
    case 'application':
      return ofApplication(known, at);
    case 'deployment':
      return ofDeployment(known, at);
    case 'replica':
      return ofReplica(known, at);
  }
}

function ofInstance({ instance, status }: Known): Facts {
  const runs = status?.instance;
  return {
    title: instance.is_remote ? format.host(instance.url) : 'This machine',
    message: '',
    facts: some([
      ['Control API', instance.url],
      ['Answers', runs?.http_url === '' && 'by handles only: it has no HTTP'],
      ['Answers at', runs?.http_url],
      ['gRPC at', runs?.grpc_address],
      ['Workbench', instance.version],
      ['Ray', runs?.ray_version],
      ['Lives', instance.is_kept ? 'until it is stopped' : 'as long as its script'],
      ...(runs?.notes ?? []).map((note): [string, string] => ['Note', note])
    ])
  };
}

function ofApplication({ status, history }: Known, at: Place): Facts | undefined {
  const app = status?.applications[at.app];
  if (!app) {
    return undefined;
  }
  const measured = history.last?.applications[at.app];
  const { url } = app;
  const answers: Fact[] = url === null ? [] : [answersAt(url)];
  return {
    title: at.app,
    message: app.message.trim(),
    facts: [
      ...some([['State', spoken(app.status)]]),
      ...answers,
      ...some([
        ['Owner', app.owner.notebook && format.fileName(app.owner.notebook)],
        ['Deployed', app.last_deployed_time_s > 0 && clock(app.last_deployed_time_s)],
        ...rates(measured)
      ])
    ]
  };
}

function answersAt(url: string): Fact {
  const page = typeof window === 'undefined' ? url : window.location.href;
  return isReachable(url, page)
    ? { name: 'URL', value: url.replace(/^http:\/\//, ''), url }
    : { name: 'URL', value: `\`${url}\` (only from the machine of Jupyter's server)` };
}

function ofDeployment({ status, history }: Known, at: Place): Facts | undefined {
  const found = status?.applications[at.app]?.deployments[at.deployment];
  if (!found) {
    return undefined;
  }
  const measured = history.last?.deployments[deploymentKey(at)];
  const states = Object.entries(found.replica_states)
    .filter(([, number]) => number > 0)
    .map(([state, number]) => `${number} ${spoken(state)}`);
  return {
    title: at.deployment,
    message: found.message.trim(),
    target: found.target_num_replicas,
    facts: some([
      ['State', spoken(found.status)],
      ['Replicas', states.join(', ')],
      ['Version', format.shortVersion(found.version)],
      ...rates(measured),
      ['Ongoing', measured && String(measured.ongoing)],
      ['Queued', measured && String(measured.queued)]
    ])
  };
}

function ofReplica({ status, history }: Known, at: Place): Facts | undefined {
  const deployment = status?.applications[at.app]?.deployments[at.deployment];
  const found = deployment?.replicas.find(({ id }) => id === at.replica);
  if (!found) {
    return undefined;
  }
  return {
    title: format.shortReplica(found.id),
    message: found.message.trim(),
    facts: some([
      ['State', spoken(found.state)],
      ['Version', format.shortVersion(found.version)],
      ...used(history.last?.replicas[at.replica]),
      ['Process', found.pid > 0 && String(found.pid)],
      ['Node', found.node]
    ])
  };
}

function used(measured: ReplicaSample | undefined): Line[] {
  return measured
    ? [
        ['Requests', format.rate(measured.requests_per_s)],
        ['Errors', format.rate(measured.errors_per_s)],
        ['p99', format.latency(measured.p99_ms)],
        ['Ongoing', String(measured.ongoing)],
        ['CPU', format.cores(measured.cpu_cores)],
        ['Memory', format.memory(measured.memory_bytes)]
      ]
    : [];
}

type Line = readonly [string, string | false | undefined];
function rates(measured: ApplicationSample | undefined): Line[] {
  if (!measured) {
    return [];
  }
  const { p50_ms, p95_ms, p99_ms } = measured;
  return [
    ['Requests', format.rate(measured.requests_per_s)],
    ['Errors', format.rate(measured.errors_per_s)],
    ['p50', format.latency(p50_ms)],
    ['p95', format.latency(p95_ms)],
    ['p99', format.latency(p99_ms)]
  ];
}

function some(lines: readonly Line[]): Fact[] {
  return lines.flatMap(([name, value]) => (value ? [{ name, value }] : []));
}
