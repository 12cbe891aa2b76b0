import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function deviceHandlers({ devices }: Pick<ManagementOptions, 'devices'>) {
  return {
    listDevices: () => devices.list(),
    getDevice: ({ params: { id } }) => devices.show(id),
    inviteDevice: async ({ body }) => ({ invitation: await devices.invite(body) }),
    enrolDevice: ({ body }) => devices.enrol(body),
    reportDevice: ({ params: { id }, body }) => devices.report(id, body),
    async removeDevice({ params: { id } }) {
      await devices.remove(id);
      return undefined;
    },
    rollOutToDevices: ({ params: { model }, body }) => devices.rollOut(model, body),
    haltDeviceRollout: ({ params: { model }, body: { reason } }) => devices.halt(model, reason),
    resumeDeviceRollout: ({ params: { model }, body: { reason } }) => devices.resume(model, reason),
    async endDeviceRollout({ params: { model } }) {
      await devices.endRollout(model);
      return undefined;
    },
  } satisfies Partial<NodeHandlers>;
}
