/**
 * Every error a person can meet: a code, what caused it, what to do next. `docs/errors.md` lists the same
 * table; a test keeps them equal. `cause` and `next` are the general text; a thrown error adds the particulars.
 */
export const ERRORS = {
  MW_USAGE: { cause: 'The command was given words it does not know.', next: 'Run it with --help for its options and examples.' },
  MW_CONFIG: { cause: 'A setting has a value that cannot be used.', next: 'Correct the named setting; the message says what would do.' },
  MW_CONFIG_FILE: {
    cause: 'midwatch.yaml cannot be read or is not YAML.',
    next: 'Correct the file at the line that the message names, or pass --config.',
  },
  MW_NO_NODE: {
    cause: 'No node answers where the command looked.',
    next: 'Start one with `midwatch up`, or point at one with --data or --url.',
  },
  MW_TOKEN: {
    cause: 'The token is missing or wrong.',
    next: 'Use --data of a running node, or set MIDWATCH_TOKEN to what `midwatch token` prints there.',
  },
  MW_DATA_DIR: {
    cause: 'The data folder cannot be used.',
    next: 'Choose another with --data, give this user write access, or run with --ephemeral.',
  },
  MW_DATA_BUSY: { cause: 'Another node is running on this data folder.', next: 'Stop it, or give this node its own with --data.' },
  MW_PORT: { cause: 'The listening port cannot be opened.', next: 'Stop what uses it, or choose another with --listen.' },
  MW_GRID_KEY: {
    cause: 'The grid key cannot be read or has the wrong form.',
    next: 'Give a file that holds 64 hex digits, such as the grid-key of another node.',
  },
  MW_JOIN_REFUSED: {
    cause: 'The other node refused the invitation: used, expired or unknown.',
    next: 'Run `midwatch invite` there again and paste the new command.',
  },
  MW_JOIN_UNREACHABLE: {
    cause: 'No address in the invitation answered.',
    next: 'Check that the port is open between the hosts (UDP and TCP, 8777 unless set), then try again.',
  },
  MW_INVITATION: { cause: 'The text is not a Midwatch invitation.', next: 'Paste the whole command that `midwatch invite` printed.' },
  MW_IN_GRID: { cause: 'This node already belongs to a grid.', next: 'Run `midwatch leave` first, or use another folder with --data.' },
  MW_UNKNOWN_NAME: { cause: 'No node or target has that name.', next: 'Run `midwatch nodes` or `midwatch targets` for the names.' },
  MW_NOT_PROBED: {
    cause: 'That node does not probe the other one: there is no link between them.',
    next: 'Ask about a link that the message names, or run `midwatch graph` for those that there are.',
  },
  MW_NOT_FOUND: { cause: 'There is nothing at that address.', next: 'GET /api/openapi.json lists what there is.' },
  MW_BAD_REQUEST: {
    cause: 'The request does not fit what the API takes.',
    next: 'Compare it with /api/openapi.json; the message names the field.',
  },
  MW_FORBIDDEN: {
    cause: 'The request comes from a place or page that is not allowed.',
    next: 'Open the console by the link that `midwatch open` prints, or open the API with --open and TLS.',
  },
  MW_REMOVED: {
    cause: 'The grid removed this node.',
    next: 'Run `midwatch leave` to go on alone, or join again with an invitation.',
  },
  MW_OLD_NODES: {
    cause: 'Some nodes run a version that cannot take a new grid key.',
    next: 'Update them first, or pass --force and invite them again afterwards.',
  },
  MW_NO_PAST: {
    cause: 'Nothing is kept of that time.',
    next: 'Choose a later time; the message says how far back it goes.',
  },
  MW_LIMIT: { cause: 'A bound was reached.', next: 'Wait and try again; the message names the bound.' },
  MW_STORE: {
    cause: 'The database cannot be opened or written.',
    next: 'Check the disk and the data folder; the node runs on without history.',
  },
  MW_RUNTIME: {
    cause: 'The runtime is too old: Midwatch needs Node 24 or later.',
    next: 'In a checkout run `npm start`, which fetches it; elsewhere install Node 24.',
  },
  MW_TLS: {
    cause: 'The certificate or its key cannot be used.',
    next: 'Give both --tls-cert and --tls-key, PEM files that belong together.',
  },
  MW_INTERNAL: {
    cause: 'Something happened that Midwatch did not expect.',
    next: 'Please report it with the message and `midwatch doctor --json`.',
  },
} as const

export type ErrorCode = keyof typeof ERRORS

/** An error with a code. `message` holds the particulars; code, cause and next step come from the table. */
export class MidwatchError extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, particulars: string, options?: ErrorOptions) {
    super(particulars, options)
    this.name = 'MidwatchError'
    this.code = code
  }

  get next(): string {
    return ERRORS[this.code].next
  }

  toJSON(): { code: ErrorCode; message: string; next: string } {
    return { code: this.code, message: this.message, next: this.next }
  }
}

/** Anything thrown, as an error with a code. */
export function asMidwatchError(thrown: unknown): MidwatchError {
  if (thrown instanceof MidwatchError) return thrown
  return new MidwatchError('MW_INTERNAL', thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown })
}
