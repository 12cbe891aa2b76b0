/** The logger of a gateway; a pino logger satisfies it. */
export interface GatewayLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  debug(details: object, message: string): void;
}
