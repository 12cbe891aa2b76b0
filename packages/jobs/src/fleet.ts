/** The namespace of a Redis that nodes and workers use that name no other. */
export const FLEET_NAMESPACE = 'fleet';
