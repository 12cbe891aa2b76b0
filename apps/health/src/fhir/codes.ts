/**
 * The code systems that inputs are named by. LOINC and UCUM are others'; `INPUT_SYSTEM` is ours: three results of
 * an exercise test and the kind of chest pain have no agreed code for their value. It is published at
 * `/fhir/CodeSystem/inputs`.
 */
export const LOINC = 'http://loinc.org';
export const UCUM = 'http://unitsofmeasure.org';
export const INPUT_SYSTEM = 'urn:skein:health:inputs';
export const OVERRIDE_SYSTEM = 'urn:skein:health:override-reasons';
/** Extension of `RiskAssessment.prediction`: the conformal set, see `setExtension`. */
export const SET_EXTENSION = 'urn:skein:health:prediction-set';
/** Extension of a card: everything that `skein-health verify` needs. */
export const DERIVATION_EXTENSION = 'urn:skein:health:derivation';

const INPUT_CODES = {
  'peak-heart-rate': 'Highest heart rate that was reached in an exercise test, /min.',
  'exercise-angina': 'Whether exercise induced angina, as a boolean.',
  'exercise-st-depression': 'ST depression induced by exercise relative to rest, mm.',
  'chest-pain-type': 'Kind of chest pain: one of the four codes below it.',
  'typical-angina': 'Chest pain type: typical angina.',
  'atypical-angina': 'Chest pain type: atypical angina.',
  'non-anginal-pain': 'Chest pain type: pain that is not angina.',
  'no-chest-pain': 'Chest pain type: asymptomatic.',
  'ecg-normal': 'Resting electrocardiogram: normal.',
  'ecg-st-t': 'Resting electrocardiogram: abnormality of ST segment or T wave.',
  'ecg-hypertrophy':
    'Resting electrocardiogram: probable or definite left ventricular hypertrophy by Estes’ criteria.',
} as const;

const OVERRIDE_CODES = {
  known: 'The disease is known and treated',
  'record-wrong': 'A value in the record is wrong or out of date',
  'not-applicable': 'The model does not apply to this patient',
  disagree: 'The clinical assessment differs',
} as const;

type OverrideCode = keyof typeof OVERRIDE_CODES;

/** Reasons that a clinician may give for an override, as codings of a card. */
export const OVERRIDE_REASONS = (Object.entries(OVERRIDE_CODES) as [OverrideCode, string][]).map(
  ([code, display]) => ({ code, system: OVERRIDE_SYSTEM, display }),
);

function codeSystem(
  id: string,
  url: string,
  title: string,
  codes: Readonly<Record<string, string>>,
) {
  return {
    resourceType: 'CodeSystem',
    id,
    url,
    version: '1',
    name: title.replaceAll(' ', ''),
    title,
    status: 'active',
    experimental: true,
    caseSensitive: true,
    content: 'complete',
    count: Object.keys(codes).length,
    concept: Object.entries(codes).map(([code, definition]) => ({
      code,
      display: definition.replace(/[.,:].*/, ''),
      definition,
    })),
  } as const;
}

/** FHIR resources that describe this service's own codes and extensions, by their path under `/fhir/`. */
export const PUBLISHED: Readonly<Record<string, object>> = {
  'CodeSystem/inputs': codeSystem('inputs', INPUT_SYSTEM, 'Inputs of the heart model', INPUT_CODES),
  'CodeSystem/override-reasons': codeSystem(
    'override-reasons',
    OVERRIDE_SYSTEM,
    'Reasons for overriding a card',
    OVERRIDE_CODES,
  ),
  'StructureDefinition/prediction-set': {
    resourceType: 'StructureDefinition',
    id: 'prediction-set',
    url: SET_EXTENSION,
    name: 'PredictionSet',
    title: 'Conformal prediction set',
    status: 'active',
    experimental: true,
    description:
      'The outcomes that the model cannot exclude. Over many patients of the site the set holds the right one in at least the share `coverage`; it promises nothing about one patient.',
    fhirVersion: '4.0.1',
    kind: 'complex-type',
    abstract: false,
    context: [{ type: 'element', expression: 'RiskAssessment.prediction' }],
    type: 'Extension',
    baseDefinition: 'http://hl7.org/fhir/StructureDefinition/Extension',
    derivation: 'constraint',
    differential: {
      element: [
        { id: 'Extension', path: 'Extension', min: 0, max: '1' },
        slice('outcome', 1, '*', 'code', '`ill` or `well`, once for each outcome of the set.'),
        slice('coverage', 1, '1', 'decimal', 'Promised share, such as 0.9.'),
        slice(
          'calibrated-on',
          1,
          '1',
          'integer',
          'Patients of the site that the set was calibrated on.',
        ),
        slice('site', 1, '1', 'string', 'Hospital whose patients the set was calibrated on.'),
        { id: 'Extension.url', path: 'Extension.url', fixedUri: SET_EXTENSION },
        { id: 'Extension.value[x]', path: 'Extension.value[x]', max: '0' },
      ],
    },
  },
};

function slice(name: string, min: number, max: string, type: string, definition: string) {
  return {
    id: `Extension.extension:${name}`,
    path: 'Extension.extension',
    sliceName: name,
    min,
    max,
    definition,
    type: [{ code: 'Extension' }],
    short: type,
  };
}
