/** The requests of CDS Hooks 2.0 that this service takes, and the answers that it gives. */
import { z } from 'zod';
import { INPUT_RULES, MEASURED, PRESSURE_PANEL, type Measured } from '../fhir/input-rules.ts';

export const SERVICE_ID = 'skein-heart';

const Id = z.string().regex(/^[A-Za-z0-9\-.]{1,64}$/);
const Url = z.url({ protocol: /^https?$/ }).max(2000);

export const HookRequest = z
  .looseObject({
    hook: z.literal('patient-view'),
    hookInstance: z.uuid(),
    fhirServer: Url.optional(),
    fhirAuthorization: z
      .looseObject({
        access_token: z.string().min(1).max(8192),
        token_type: z.literal('Bearer'),
        expires_in: z.number(),
        scope: z.string().max(4000),
        subject: z.string().max(300),
        patient: Id.optional(),
      })
      .optional(),
    context: z.looseObject({
      userId: z
        .string()
        .regex(/^(?:Practitioner|PractitionerRole|Patient|RelatedPerson)\/[A-Za-z0-9\-.]{1,64}$/),
      patientId: Id,
      encounterId: Id.optional(),
    }),
    prefetch: z.record(z.string().max(100), z.unknown()).optional(),
  })
  .refine(
    ({ fhirServer, fhirAuthorization }) =>
      fhirAuthorization === undefined || fhirServer !== undefined,
    'fhirAuthorization needs fhirServer',
  )
  .refine(
    ({ fhirAuthorization, context }) =>
      fhirAuthorization?.patient === undefined || fhirAuthorization.patient === context.patientId,
    'fhirAuthorization is for another patient',
  );
export type HookRequest = z.output<typeof HookRequest>;

const searchFor = (...questions: readonly Measured[]): string => {
  const codes = questions.flatMap((question) => INPUT_RULES[question].codes);
  if (questions.includes('pressure')) codes.push(PRESSURE_PANEL);
  return `Observation?patient={{context.patientId}}&code=${codes.join(',')}&_sort=-date&_count=100`;
};

/** Templates of prefetched data by key. Searches are few, and each is small enough for one page. */
export const PREFETCH: Readonly<Record<string, string>> = {
  patient: 'Patient/{{context.patientId}}',
  pressure: searchFor('pressure'),
  laboratory: searchFor('cholesterol', 'fastingSugar'),
  heart: searchFor(
    ...MEASURED.filter((each) => !['pressure', 'cholesterol', 'fastingSugar'].includes(each)),
  ),
};

export const DISCOVERY = {
  services: [
    {
      hook: 'patient-view',
      id: SERVICE_ID,
      title: 'Coronary heart disease by the record',
      description:
        'Estimates from ten facts of the record whether coronary arteries are narrowed, with a prediction set at 90 %, reasons and what the estimate rests on. No medical device: for research and evaluation, never in place of usual care.',
      prefetch: PREFETCH,
      usageRequirements:
        'Three exercise test results and the kind of chest pain are read by the codes of /fhir/CodeSystem/inputs. Without them the service stays silent.',
    },
  ],
} as const;

export const FeedbackRequest = z.strictObject({
  feedback: z
    .array(
      z
        .looseObject({
          card: z.uuid(),
          outcome: z.enum(['accepted', 'overridden']),
          acceptedSuggestions: z
            .array(z.looseObject({ id: z.string().min(1).max(300) }))
            .min(1)
            .max(20)
            .optional(),
          overrideReason: z
            .looseObject({
              reason: z
                .looseObject({
                  code: z.string().min(1).max(200),
                  system: z.string().max(2000).optional(),
                })
                .optional(),
              userComment: z.string().max(10_000).optional(),
            })
            .optional(),
          outcomeTimestamp: z.iso.datetime({ offset: true }),
        })
        .refine(
          ({ outcome, overrideReason }) => outcome === 'overridden' || overrideReason === undefined,
          'an accepted card has no overrideReason',
        ),
    )
    .min(1)
    .max(100),
});
export type FeedbackRequest = z.output<typeof FeedbackRequest>;

export interface Card {
  readonly uuid: string;
  readonly summary: string;
  readonly detail: string;
  readonly indicator: 'info' | 'warning';
  readonly source: { readonly label: string; readonly url: string };
  readonly overrideReasons?: readonly { code: string; system: string; display: string }[];
  readonly extension: Readonly<Record<string, unknown>>;
}
