/**
 * Every bound on what a peer, a file or a client may send. One place, so that a reader sees the whole surface,
 * and so that each entry can have a test that sends one more.
 */
export const LIMITS = {
  /** Largest datagram we send or accept. Below the smallest common path MTU (1,280 of IPv6) less headers. */
  datagramBytes: 1_200,
  /** Largest frame on a grid stream. A row of 2,000 links fits. */
  frameBytes: 262_144,
  /** Frames that one stream may carry before it is closed. */
  framesPerStream: 4_096,
  /** Grid streams open at once, ours and theirs. */
  streams: 64,
  /** A stream that says nothing for this long is closed. */
  streamIdleMs: 5_000,
  /** Lines held for nodes that can only call out. Each is a stream too. */
  lines: 32,
  /** Bytes that wait to go out on a line; what its reader is too slow for beyond that is dropped, and counted. */
  lineWaitingBytes: 1_048_576,
  /** Nodes in one grid. A row beyond this is refused and counted. */
  nodes: 2_000,
  /** Links in one row. */
  linksPerRow: 3_000,
  /** Characters of an id, a site or a target's name. */
  labelChars: 63,
  /** Characters of a link's detail ("status 503, wanted 200"). */
  detailChars: 160,
  /** Characters of a target's address. */
  addressChars: 300,
  /** Rows sent in answer to others' questions, in bytes at once and a second: a small question must not buy a flood. */
  answerBytesPerSecond: 1_048_576,
  /** Rows of several datagrams that are waiting for their other parts; of more, the one begun first is given up. */
  unfinishedRows: 64,
  /** Rumours about members kept for retransmission. */
  rumours: 512,
  /** Members named in one datagram. */
  membersPerDatagram: 24,
  /** Sending sessions (one per start of a peer) that are remembered to refuse replays. */
  sessions: 4_096,
  /** Datagrams a second from sessions not seen before; each costs a key derivation. */
  newSessionsPerSecond: 200,
  /** Nodes whose probes are counted and remembered; of more, the longest silent is forgotten. */
  probeSenders: 2_000,
  /** Configured targets of one node. */
  targets: 1_000,
  /** Probes of configured targets under way at once. */
  probesUnderWay: 64,
  /** Bytes of an HTTP target's body that are read. */
  httpTargetBodyBytes: 262_144,
  /** Redirects followed by an HTTP target. */
  httpTargetRedirects: 5,
  /** Body of a request to the API. */
  apiBodyBytes: 65_536,
  /** Server-sent event clients at once. */
  eventClients: 64,
  /** Points in one history answer. */
  historyPoints: 2_000,
  /** Buckets in one answer about the past. */
  pastMoments: 600,
  /** Turns of a link in one history answer. */
  historyTurns: 500,
  /** Changes in one timeline answer. */
  timelineEntries: 1_000,
  /** Invitations open at once. */
  invitations: 100,
  /** Refused join attempts a minute that are written down, from all strangers together. */
  joinAttemptsPerMinute: 60,
  /** Removed nodes that are remembered by name. Older ones stay out too: they hold no key. */
  removedNodes: 200,
  /** Changes of key kept for nodes that were away: who missed more has to be invited again. */
  keyChanges: 8,
  /** How long a grid key that was replaced is still read: all have heard of the new one by then. */
  oldKeyMs: 15_000,
  /** How long an invitation is good. */
  invitationMs: 600_000,
  /** Size of midwatch.yaml. */
  configBytes: 1_048_576,
  /** Items waiting for the storage thread; the oldest samples are dropped first, and counted. Journal events are never dropped. */
  storeQueue: 20_000,
  /** Links of other nodes whose history a node keeps; those beyond are not kept, and counted. Its own links always are. */
  storeToldLinks: 5_000,
  /** Characters of facts that wait for the storage thread; beyond, a new run begins once there is room. */
  storeFactsChars: 16_777_216,
  /** Questions that wait for the storage thread at once. */
  storeQuestions: 256,
} as const
