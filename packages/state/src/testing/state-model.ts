/**
 * A model of a state, in plain maps, without any regard to speed, durability or concurrency. Times are
 * by the test's clock.
 */
import type { StateChange } from '../changes/changes.ts';

export type Announced = Omit<StateChange, 'cursor'>;

interface Deployment {
  readonly revision: number;
  readonly weight: number;
}

interface Lease {
  readonly holder: string;
  readonly token: number;
  readonly until: number;
}

export class StateModel {
  now = 0;
  readonly changes: Announced[] = [];
  /** model -> number -> digest. */
  readonly versions = new Map<string, Map<number, string>>();
  readonly numbers = new Map<string, number>();
  readonly deployments = new Map<string, Deployment>();
  readonly earlier = new Map<string, Deployment[]>();
  readonly revisions = new Map<string, number>();
  /** id -> time of its revocation, or undefined. */
  readonly keys = new Map<string, string | undefined>();
  readonly history: string[] = [];
  readonly runs = new Map<string, { updatedAt: string; startedAt: string }>();
  /** incarnation -> what it is called and when its lease ends. */
  readonly members = new Map<string, { name: string; until: number }>();
  readonly leases = new Map<string, Lease>();

  addVersion(model: string, digest: string): number {
    const versions = this.versions.get(model) ?? new Map<number, string>();
    this.versions.set(model, versions);
    for (const [number, existing] of versions) if (existing === digest) return number;
    const number = (this.numbers.get(model) ?? 0) + 1;
    this.numbers.set(model, number);
    versions.set(number, digest);
    this.changes.push({ kind: 'version', id: `${model}:${number}` });
    return number;
  }

  removeVersion(model: string, number: number): void {
    if (this.versions.get(model)?.delete(number) !== true) return;
    this.changes.push({ kind: 'version', id: `${model}:${number}`, removed: true });
  }

  /** @returns the code of its refusal, or the new revision. */
  putDeployment(
    name: string,
    weight: number,
    expected: number,
    fence?: { name: string; token: number },
  ): string | number {
    if (fence !== undefined && this.held(fence.name)?.token !== fence.token) return 'LEASE_LOST';
    const current = this.deployments.get(name);
    if ((current?.revision ?? 0) !== expected) return 'ROLLOUT_IN_PROGRESS';
    if (current) this.earlier.set(name, [current, ...(this.earlier.get(name) ?? [])]);
    const revision = this.nextRevision(name);
    this.deployments.set(name, { revision, weight });
    this.changes.push({ kind: 'deployment', id: name, revision });
    return revision;
  }

  removeDeployment(name: string): void {
    if (!this.deployments.delete(name)) return;
    this.earlier.delete(name);
    const revision = this.nextRevision(name);
    this.changes.push({ kind: 'deployment', id: name, revision, removed: true });
  }

  private nextRevision(name: string): number {
    const revision = (this.revisions.get(name) ?? 0) + 1;
    this.revisions.set(name, revision);
    return revision;
  }

  tombstones(): { name: string; revision: number }[] {
    return [...this.revisions]
      .filter(([name]) => !this.deployments.has(name))
      .map(([name, revision]) => ({ name, revision }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  addKey(id: string): boolean {
    if (this.keys.has(id)) return false;
    this.keys.set(id, undefined);
    this.changes.push({ kind: 'key', id });
    return true;
  }

  revokeKey(id: string, at: string): boolean {
    if (!this.keys.has(id)) return false;
    this.keys.set(id, this.keys.get(id) ?? at);
    this.changes.push({ kind: 'key', id });
    return true;
  }

  removeKeys(ids: readonly string[]): void {
    for (const id of ids) {
      if (this.keys.delete(id)) this.changes.push({ kind: 'key', id, removed: true });
    }
  }

  addHistory(id: number, reason: string): void {
    this.history.unshift(reason);
    this.changes.push({ kind: 'history', id: String(id) });
  }

  putRun(id: string, startedAt: string, updatedAt: string): void {
    if ((this.runs.get(id)?.updatedAt ?? '') > updatedAt) return;
    this.runs.set(id, { startedAt, updatedAt });
    this.changes.push({ kind: 'run', id });
  }

  removeRun(id: string): boolean {
    if (!this.runs.delete(id)) return false;
    this.changes.push({ kind: 'run', id, removed: true });
    return true;
  }

  join(incarnation: string, name: string, leaseMs: number): void {
    this.removeEnded();
    this.members.set(incarnation, { name, until: this.now + leaseMs });
    this.changes.push({ kind: 'member', id: incarnation });
  }

  renew(incarnation: string, leaseMs: number): boolean {
    this.removeEnded();
    const member = this.members.get(incarnation);
    if (member === undefined) return false;
    member.until = this.now + leaseMs;
    return true;
  }

  leave(incarnation: string): void {
    this.removeEnded();
    if (!this.members.delete(incarnation)) return;
    this.changes.push({ kind: 'member', id: incarnation, removed: true });
  }

  private removeEnded(): void {
    const ended = [...this.members].filter(([, { until }]) => until <= this.now);
    for (const [incarnation] of ended.sort(([, a], [, b]) => a.until - b.until)) {
      this.members.delete(incarnation);
      this.changes.push({ kind: 'member', id: incarnation, removed: true });
    }
  }

  memberNames(): string[] {
    return [...this.members.values()]
      .filter(({ until }) => until > this.now)
      .map(({ name }) => name);
  }

  held(name: string): Lease | undefined {
    const lease = this.leases.get(name);
    return lease !== undefined && lease.until > this.now ? lease : undefined;
  }
}
