/** From samples to what the charts of one application, or one deployment, show. Pure. */

import type {
  ApplicationSample,
  DeploymentSample,
  ReplicaSample,
  Sample
} from '../protocol';

/** What is looked at: an application as its clients see it, or one deployment. */
export interface Subject {
  readonly app: string;
  readonly deployment: string | null;
}

/** One sample, reduced to the subject. */
export interface Row {
  readonly at: number;
  readonly requests: number | null;
  readonly errors: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly ongoing: number | null;
  readonly queued: number | null;
  readonly replicas: number | null;
  readonly target: number | null;
  /** By replica: CPU in cores and memory in MiB; empty for samples of the past. */
  readonly load: ReadonlyMap<string, Load>;
}

export interface Load {
  readonly deployment: string;
  readonly cores: number;
  readonly mib: number;
}

const MIB = 1024 * 1024;
const NO_LOAD: ReadonlyMap<string, Load> = new Map();

/** A moment of which nothing is known: lines have a gap there. */
export function gapAt(at: number): Row {
  return rowOf({ at_s: at, applications: {}, deployments: {}, replicas: {} }, NOBODY);
}

const NOBODY: Subject = { app: '', deployment: null };

export function rowOf(sample: Sample, subject: Subject): Row {
  const deployments = deploymentsOf(sample, subject);
  const traffic = trafficOf(sample, subject);
  const known = deployments.length > 0;
  const sum = (pick: (one: DeploymentSample) => number): number | null =>
    known ? deployments.reduce((total, one) => total + pick(one), 0) : null;
  return {
    at: sample.at_s,
    requests: traffic.requests_per_s,
    errors: traffic.errors_per_s,
    p50: traffic.p50_ms,
    p95: traffic.p95_ms,
    p99: traffic.p99_ms,
    ongoing: sum(one => one.ongoing),
    queued: sum(one => one.queued),
    replicas: sum(one => one.replicas),
    target: sum(one => one.target),
    load: loadOf(sample, subject)
  };
}

/** Deployments of an application that a sample knows. */
export function deploymentNames(sample: Sample, app: string): string[] {
  return Object.keys(sample.deployments)
    .filter(key => key.startsWith(`${app}#`))
    .map(nameOf);
}

/** `Doubler` of `default#Doubler`. */
export function nameOf(key: string): string {
  return key.slice(key.indexOf('#') + 1);
}

type Traffic = { readonly [K in keyof ApplicationSample]: number | null };

const NO_TRAFFIC: Traffic = {
  requests_per_s: null,
  errors_per_s: null,
  p50_ms: null,
  p95_ms: null,
  p99_ms: null
};

function trafficOf(sample: Sample, { app, deployment }: Subject): Traffic {
  const found =
    deployment === null
      ? sample.applications[app]
      : sample.deployments[`${app}#${deployment}`];
  return found ?? NO_TRAFFIC;
}

function deploymentsOf(sample: Sample, subject: Subject): DeploymentSample[] {
  return Object.entries(sample.deployments)
    .filter(([key]) => belongs(key, subject))
    .map(([, one]) => one);
}

function loadOf(sample: Sample, subject: Subject): ReadonlyMap<string, Load> {
  const found = Object.entries(sample.replicas).filter(([, one]) =>
    belongs(one.deployment, subject)
  );
  return found.length
    ? new Map(found.map(([id, one]) => [id, loadOfOne(one)]))
    : NO_LOAD;
}

function loadOfOne(one: ReplicaSample): Load {
  return {
    deployment: nameOf(one.deployment),
    cores: one.cpu_cores,
    mib: one.memory_bytes / MIB
  };
}

function belongs(key: string, { app, deployment }: Subject): boolean {
  return deployment === null
    ? key.startsWith(`${app}#`)
    : key === `${app}#${deployment}`;
}
