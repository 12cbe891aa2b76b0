/** The answers to `kubectl`'s questions to an API server before its first request. */
interface Resource {
  /** The name in paths, with the group before it: `batch/jobs`; `pods` of the core group. */
  readonly name: string;
  readonly kind: string;
  readonly singular: string;
  readonly short: readonly string[];
  readonly namespaced: boolean;
}

export const RESOURCES: readonly Resource[] = [
  {
    name: 'namespaces',
    kind: 'Namespace',
    singular: 'namespace',
    short: ['ns'],
    namespaced: false,
  },
  { name: 'pods', kind: 'Pod', singular: 'pod', short: ['po'], namespaced: true },
  { name: 'services', kind: 'Service', singular: 'service', short: ['svc'], namespaced: true },
  { name: 'events', kind: 'Event', singular: 'event', short: ['ev'], namespaced: true },
  { name: 'batch/jobs', kind: 'Job', singular: 'job', short: [], namespaced: true },
  {
    name: 'networking.k8s.io/networkpolicies',
    kind: 'NetworkPolicy',
    singular: 'networkpolicy',
    short: ['netpol'],
    namespaced: true,
  },
];

const GROUPS = ['batch', 'networking.k8s.io'];
const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

export function apiVersionOf(resource: string): string {
  const [group, name] = resource.split('/');
  return name === undefined ? 'v1' : `${group}/v1`;
}

/** The answer to a path of discovery; undefined for any other path. */
export function discovery(path: string): unknown {
  if (path === '/version')
    return { major: '1', minor: '32', gitVersion: 'v1.32.3-test', platform: 'linux/amd64' };
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path === '/apis') {
    const groups = GROUPS.map((name) => {
      const version = { groupVersion: `${name}/v1`, version: 'v1' };
      return { name, versions: [version], preferredVersion: version };
    });
    return { kind: 'APIGroupList', apiVersion: 'v1', groups };
  }
  if (path === '/api/v1') return resourceList('');
  const group = GROUPS.find((name) => path === `/apis/${name}/v1`);
  return group === undefined ? undefined : resourceList(group);
}

function resourceList(group: string): unknown {
  const prefix = group === '' ? '' : `${group}/`;
  const own = RESOURCES.filter(({ name }) =>
    group === '' ? !name.includes('/') : name.startsWith(prefix),
  );
  const resources = own.flatMap(({ name, kind, singular, short, namespaced }) => {
    const plain = {
      name: name.slice(prefix.length),
      singularName: singular,
      namespaced,
      kind,
      verbs: VERBS,
    };
    const streams = ['attach', 'exec', 'log'].map((sub) => ({
      name: `pods/${sub}`,
      singularName: '',
      namespaced: true,
      kind: 'Pod',
      verbs: ['create', 'get'],
    }));
    return [{ ...plain, shortNames: short }, ...(name === 'pods' ? streams : [])];
  });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${prefix}v1`, resources };
}
