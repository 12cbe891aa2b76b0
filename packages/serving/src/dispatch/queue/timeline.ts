/**
 * Every queued request in the order of its deadline, with the answer to one question: if the
 * replicas become free at these times and work in this order, is every request on time?
 *
 *            d=40          Each node holds the work of its subtree and the latest moment at which
 *           /    \         the replicas may become free for the subtree to be on time:
 *        d=20    d=70        latestFree = min( left.latestFree,
 *        /  \        \                         R · startBy − left.totalWork,
 *     d=10  d=30     d=90                      right.latestFree − left.totalWork − work )
 *
 * `R` replicas start a request no later than (Σ freeAt + work before it) / R, the bound of list
 * scheduling (Graham 1969), so times are summed over the replicas instead of divided. Serving by
 * deadline is optimal: if any order keeps all promises, this one does (Jackson 1955).
 *
 * A treap (Seidel & Aragon 1996): insert, remove and query in O(log n) expected, without
 * rebalancing rules.
 */
import type { Instant } from '../../contract.ts';
import type { Ticket } from './ticket.ts';

/** Where a new request would be. */
export interface Standing<Payload> {
  /** The request just before it. */
  before: Ticket<Payload> | undefined;
  /** Work of the requests with the same or an earlier deadline, in milliseconds of one replica. */
  workBefore: number;
  /** Latest Σ freeAt at which the later requests would be on time without the new one; Infinity if none. */
  latestFreeBehind: number;
}

export class Timeline<Payload> {
  #root: Ticket<Payload> | undefined;
  #replicas = 1;
  #order = 0;
  #seed = 0x9e3779b9;

  get replicas(): number {
    return this.#replicas;
  }

  /** Work of all queued requests, in milliseconds of one replica. */
  get work(): number {
    return this.#root?.totalWork ?? 0;
  }

  /** The latest Σ freeAt over the replicas at which every request is on time; Infinity while empty. */
  get latestFree(): number {
    return this.#root?.latestFree ?? Infinity;
  }

  /** The request with the earliest deadline; of equal ones, the first to arrive. */
  get first(): Ticket<Payload> | undefined {
    let node = this.#root;
    while (node?.left !== undefined) node = node.left;
    return node;
  }

  /** Changes the number of replicas; costs O(n) if it differs. */
  setReplicas(replicas: number): void {
    if (replicas === this.#replicas) return;
    this.#replicas = replicas;
    this.#updateAll(this.#root);
  }

  insert(ticket: Ticket<Payload>): void {
    ticket.order = this.#order++;
    this.#add(ticket);
  }

  /** Puts a ticket back exactly where `remove` took it from. */
  restore(ticket: Ticket<Payload>): void {
    this.#add(ticket);
  }

  remove(ticket: Ticket<Payload>): void {
    this.#root = this.#removeFrom(this.#root, ticket);
    ticket.left = undefined;
    ticket.right = undefined;
  }

  /** Changes the work of a ticket in place. */
  reprice(ticket: Ticket<Payload>, work: number): void {
    ticket.work = work;
    this.#refreshPath(this.#root, ticket);
  }

  /** Scales all work by `ratio`, and the p99 of runs too; costs O(n). */
  scale(ratio: number): void {
    this.#scaleAll(this.#root, ratio);
  }

  /** Where a request with this deadline would be; writes into `standing`. */
  standing(deadline: Instant, standing: Standing<Payload>): void {
    let node = this.#root;
    let before = 0;
    let behind = Infinity;
    standing.before = undefined;
    // Going left, the node and its right subtree are later; `before` is the work left of the
    // subtree.
    while (node !== undefined) {
      const upToNode = before + (node.left?.totalWork ?? 0);
      if (node.deadline <= deadline) {
        before = upToNode + node.work;
        standing.before = node;
        node = node.right;
      } else {
        const own = this.#replicas * node.startBy - upToNode;
        const right = (node.right?.latestFree ?? Infinity) - upToNode - node.work;
        behind = Math.min(behind, own, right);
        node = node.left;
      }
    }
    standing.workBefore = before;
    standing.latestFreeBehind = behind;
  }

  /** Visits tickets in the order of deadlines until `visit` returns false. Must not change the timeline. */
  each(visit: (ticket: Ticket<Payload>) => boolean): void {
    this.#visit(this.#root, visit);
  }

  #visit(node: Ticket<Payload> | undefined, visit: (ticket: Ticket<Payload>) => boolean): boolean {
    if (node === undefined) return true;
    return this.#visit(node.left, visit) && visit(node) && this.#visit(node.right, visit);
  }

  #add(ticket: Ticket<Payload>): void {
    ticket.heapRank = this.#random();
    this.#root = this.#insertInto(this.#root, ticket);
  }

  #insertInto(node: Ticket<Payload> | undefined, ticket: Ticket<Payload>): Ticket<Payload> {
    if (node === undefined) {
      this.#update(ticket);
      return ticket;
    }
    if (isBefore(ticket, node)) {
      const left = this.#insertInto(node.left, ticket);
      node.left = left;
      if (left.heapRank > node.heapRank) {
        node.left = left.right;
        left.right = node;
        this.#update(node);
        this.#update(left);
        return left;
      }
    } else {
      const right = this.#insertInto(node.right, ticket);
      node.right = right;
      if (right.heapRank > node.heapRank) {
        node.right = right.left;
        right.left = node;
        this.#update(node);
        this.#update(right);
        return right;
      }
    }
    this.#update(node);
    return node;
  }

  #removeFrom(
    node: Ticket<Payload> | undefined,
    ticket: Ticket<Payload>,
  ): Ticket<Payload> | undefined {
    if (node === undefined) return undefined;
    if (node === ticket) return this.#merge(node.left, node.right);
    if (isBefore(ticket, node)) node.left = this.#removeFrom(node.left, ticket);
    else node.right = this.#removeFrom(node.right, ticket);
    this.#update(node);
    return node;
  }

  #merge(
    left: Ticket<Payload> | undefined,
    right: Ticket<Payload> | undefined,
  ): Ticket<Payload> | undefined {
    if (left === undefined) return right;
    if (right === undefined) return left;
    if (left.heapRank > right.heapRank) {
      left.right = this.#merge(left.right, right);
      this.#update(left);
      return left;
    }
    right.left = this.#merge(left, right.left);
    this.#update(right);
    return right;
  }

  #update(node: Ticket<Payload>): void {
    const { left, right } = node;
    const before = left === undefined ? 0 : left.totalWork;
    let latest = this.#replicas * node.startBy - before;
    if (left !== undefined && left.latestFree < latest) latest = left.latestFree;
    node.totalWork = before + node.work;
    if (right !== undefined) {
      latest = Math.min(latest, right.latestFree - node.totalWork);
      node.totalWork += right.totalWork;
    }
    node.latestFree = latest;
  }

  #refreshPath(node: Ticket<Payload> | undefined, ticket: Ticket<Payload>): void {
    if (node === undefined) return;
    if (node !== ticket) this.#refreshPath(isBefore(ticket, node) ? node.left : node.right, ticket);
    this.#update(node);
  }

  #updateAll(node: Ticket<Payload> | undefined): void {
    if (node === undefined) return;
    this.#updateAll(node.left);
    this.#updateAll(node.right);
    this.#update(node);
  }

  #scaleAll(node: Ticket<Payload> | undefined, ratio: number): void {
    if (node === undefined) return;
    node.work *= ratio;
    node.startBy = node.deadline - (node.deadline - node.startBy) * ratio;
    this.#scaleAll(node.left, ratio);
    this.#scaleAll(node.right, ratio);
    this.#update(node);
  }

  /** xorshift32: the tree has the same shape in every run. */
  #random(): number {
    let x = this.#seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#seed = x;
    return x;
  }
}

function isBefore<Payload>(a: Ticket<Payload>, b: Ticket<Payload>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
