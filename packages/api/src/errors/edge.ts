/** Errors of bundles for devices and of the devices: keys, files, updates, reports. */
import {
  INVALID,
  OVER_LIMIT,
  PRECONDITION,
  UNAUTHENTICATED,
  UNAVAILABLE,
  UNFIT,
  UNKNOWN,
  UNMET,
  type ErrorRow,
} from './row.ts';

export const EDGE_ERRORS = {
  EDGE_KEYS: {
    ...PRECONDITION,
    meaning: 'A key of a publisher of bundles is missing, or is not a key.',
    fix: 'Name the folder that `skein edge keys --keys` has made with --keys, and the place whose root has these keys with --out.',
  },
  EDGE_UNTRUSTED: {
    ...UNFIT,
    meaning:
      'A file of a publisher lacks the signatures that the trusted root demands, differs from the signed file, or is older than an accepted one.',
    fix: 'Keep the installed version; it still runs. Publish again with the keys of the newest root. If a key may be stolen, replace it with `skein edge keys --rotate`.',
  },
  EDGE_EXPIRED: {
    ...UNMET,
    meaning:
      'A signed file of a publisher has expired, so a device accepts no update. The installed version still runs.',
    fix: 'Sign new dates with `skein edge renew`. If the files are current, correct the clock of the device.',
  },
  EDGE_BUNDLE_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'A publisher has no bundle of this name.',
    fix: 'Correct the name; the message lists the bundles that the place has.',
  },
  EDGE_BUNDLE_INVALID: {
    ...INVALID,
    meaning: 'The manifest of a bundle, or a model to pack, cannot be used.',
    fix: 'Correct what the message names, and pack the model again. A device that is too old for a schema needs a newer version of Skein.',
  },
  QUANTISE_REFUSED: {
    ...UNFIT,
    meaning:
      'No quantised variant of a model stays within the limits on error, size, speed and the golden rows.',
    fix: 'Read in the message what each variant lacks. Raise --max-error, --max-drop or --max-size, give rows with --data, or keep the float model.',
  },
  EDGE_NOT_ANSWERED: {
    ...UNAVAILABLE,
    meaning: 'A device has no version that works, and the input may not be sent to a node.',
    fix: 'Install a version with a call of update, or name a node as its server. A private input needs an installed version.',
    retryMs: 60_000,
  },
  EDGE_UNREACHABLE: {
    ...UNAVAILABLE,
    meaning: 'The place where bundles are published cannot be read now.',
    fix: 'Check its address and the network. The installed version still runs, and a download continues where it stopped.',
    retryMs: 60_000,
  },
  DEVICE_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'No device of this id is enrolled, or it was removed.',
    fix: 'List the devices with `skein edge ls`. To enrol the device again, invite it with `skein edge invite`.',
  },
  DEVICE_UNPROVEN: {
    ...UNAUTHENTICATED,
    meaning:
      'The signature of a device is not by its key, or its report is older than the one that the node has.',
    fix: 'Run one process with the folder of a device. If its key may be stolen, remove the device with `skein edge remove` and invite it again.',
  },
  DEVICE_ROLLOUT_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'No rollout holds back devices with this bundle.',
    fix: 'Start one with `skein edge rollout MODEL VERSION --share 10%`; `skein edge ls` lists the bundles of the devices.',
  },
  DEVICES_TOO_MANY: {
    ...OVER_LIMIT,
    meaning: 'A node or fleet has as many devices, or open invitations, as it keeps.',
    fix: 'Remove devices that are gone with `skein edge remove`.',
    retryMs: 60_000,
  },
} as const satisfies Record<string, ErrorRow>;
