/** What the gateway writes; a pino logger is one. */
export interface GatewayLogger {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
  debug(details: object, message: string): void;
}
