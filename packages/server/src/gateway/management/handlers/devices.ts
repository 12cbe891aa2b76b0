import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function deviceHandlers({ devices }: Pick<ManagementOptions, 'devices'>) {
  return {
    listDevices: async () => ({ devices: await devices.list() }),
    getDevice: ({ params: { id } }) => devices.show(id),
    inviteDevice: async ({ body }) => ({ invitation: await devices.invite(body) }),
    enrolDevice: ({ body }) => devices.enrol(body),
    reportDevice: ({ params: { id }, body }) => devices.report(id, body),
    async removeDevice({ params: { id } }) {
      await devices.remove(id);
      return undefined;
    },
  } satisfies Partial<NodeHandlers>;
}
