import {
  cannotBeProbed,
  LINK_DETAILS,
  type Degraded,
  type GraphLink,
  type GraphNode,
  type LinkState,
  type SamplePoint,
} from '../contract/index.ts'
import { countText, durationText, listText, percentText, rttText, sentence, sinceText } from './words.ts'

/** What is known around a link. Anything may be missing: only the observer keeps its samples. */
export type WhyContext = {
  /** Now, ISO. */
  readonly at: string
  /** The node that looks, and the node that it looks at (null for a target). */
  readonly from: GraphNode | null
  readonly to: GraphNode | null
  readonly otherWay: GraphLink | null
  /** The same destination as the other nodes see it. */
  readonly viaOthers: readonly GraphLink[]
  /** The last minute of samples, empty where this node has none. */
  readonly points: readonly SamplePoint[]
  /** To whom the destination keeps lines open, where it only calls out. */
  readonly lines?: readonly string[]
  /** What a round trip usually takes, once learned. */
  readonly rttMsUsual?: number | null
}

/** Why a link has its state: one fact a line, most important first. */
export function whySentences(link: GraphLink, context: WhyContext): string[] {
  return [
    stateSentence(link, context),
    detailSentence(link),
    callerSentence(context),
    lineSentence(link, context),
    observerSentence(link, context),
    membershipSentence(context),
    countSentence(link, context.points),
    rttSentence(link, context),
    mergedSentence(link),
    otherWaySentence(context.otherWay),
    othersSentence(link, context.viaOthers),
    changeSentence(link.state),
  ].filter((text) => text !== '')
}

function stateSentence(link: GraphLink, { at, from: observer }: WhyContext): string {
  const { from, to, state, dead, since } = link
  const when = sinceText(since, at)
  switch (state) {
    case 'up':
      return sentence(`${from} reaches ${to}`, when)
    case 'slow':
      return sentence(`${to} answers ${from} slower than usual`, when)
    case 'lossy':
      return sentence(`${to} answers ${from}, but not always`, when)
    case 'partial':
      return sentence(`Some flows from ${from} to ${to} are dead, the others work`, when)
    case 'one-way': {
      const [source, sink] = dead === 'in' ? [to, from] : [from, to]
      return `${sentence(`Packets from ${source} to ${sink} are lost`, when)} The other way they arrive.`
    }
    case 'down':
      return sentence(`${from} gets no answer from ${to}`, when)
    case 'stale': {
      const silence = observer ? ` for ${durationText(observer.rowAgeMs)}` : ''
      return `Nothing has been heard of ${from}${silence}, so nobody can say.`
    }
    case 'unknown':
      if (cannotBeProbed(link)) return unprobedSentence(link)
      return `${from} has not had enough answers from ${to} yet to say anything.`
  }
}

function unprobedSentence({ from, to, detail }: GraphLink): string {
  if (detail?.startsWith(LINK_DETAILS.callsOut)) return `${to} only calls out, so nobody can probe it, and ${from} cannot either.`
  if (detail?.startsWith(LINK_DETAILS.noDatagrams))
    return `${from} only calls out and no UDP comes through to it, so it cannot probe ${to}.`
  return `${from} only calls out, and the version that ${to} runs answers no probes of such a node.`
}

/** What is known of a node that nobody can probe: it is alive as long as it is heard, over the lines that it keeps open. */
function callerSentence({ to }: WhyContext): string {
  if (!to?.callsOut || to.state !== 'up') return ''
  return `${to.id} is alive: it was heard ${durationText(to.rowAgeMs)} ago.`
}

function lineSentence(link: GraphLink, { lines }: WhyContext): string {
  if (lines === undefined || lines.length === 0) return ''
  return `${link.to} keeps ${countText(lines.length, 'line')} open, over which it hears and is heard: to ${listText(lines)}.`
}

function detailSentence({ detail }: GraphLink): string {
  if (detail !== null && isAboutWay(detail)) return ''
  return detail === null ? '' : sentence(`The last probe said: ${detail}`)
}

/** Details that say how a node is reached, not what a probe found. */
function isAboutWay(detail: string): boolean {
  return Object.values(LINK_DETAILS).some((words) => detail.startsWith(words))
}

const DEGRADED_TEXT: Readonly<Record<Degraded, string>> = {
  'hears-nobody': 'hears nobody at all, so the trouble is more likely its own',
  busy: 'is too busy to measure well, so its word counts less',
  'socket-drops': 'drops packets that already reached it, so its word counts less',
}

function observerSentence({ from }: GraphLink, { from: observer }: WhyContext): string {
  const reason = observer?.degraded[0]
  return reason === undefined ? '' : `${from} ${DEGRADED_TEXT[reason]}.`
}

function membershipSentence({ to, at }: WhyContext): string {
  if (to?.state === 'down') return sentence(`The grid holds ${to.id} for down`, sinceText(to.since, at))
  return to?.state === 'suspect' ? `${to.id} has gone quiet; the others are asking it again.` : ''
}

function countSentence(link: GraphLink, points: readonly SamplePoint[]): string {
  const { lossRatio, state } = link
  if (cannotBeProbed(link)) return ''
  const sent = points.reduce((sum, point) => sum + point.sent, 0)
  const lost = points.reduce((sum, point) => sum + point.lost, 0)
  if (sent > 0) {
    const answers = lost === 0 ? 'all were answered' : `${lost} got no answer (${percentText(lost / sent)})`
    return `In the last minute ${countText(sent, 'probe')} went out; ${answers}.`
  }
  return lossRatio === null || state === 'stale' ? '' : `By its last word ${percentText(lossRatio)} of its probes got no answer.`
}

function rttSentence({ rttMsP50, state }: GraphLink, { rttMsUsual }: WhyContext): string {
  if (rttMsP50 === null || state === 'stale') return ''
  const tense = state === 'down' || state === 'one-way' ? 'took' : 'takes'
  const usual = rttMsUsual === null || rttMsUsual === undefined ? '' : `; ${rttText(rttMsUsual)} is usual`
  return `An answer ${tense} ${rttText(rttMsP50)}${usual}.`
}

function mergedSentence({ from, to, state, dead, says }: GraphLink): string {
  if (says === state) return ''
  if (state === 'stale') return `Its last word was: ${says}.`
  if (dead === 'in') return `${from} itself only knows that nothing comes back; ${to} says that it hears ${from}.`
  return `${from} itself says: ${says}.`
}

function otherWaySentence(otherWay: GraphLink | null): string {
  if (!otherWay) return ''
  if (cannotBeProbed(otherWay)) return `The other way cannot be probed.`
  const { from, to, state, lossRatio } = otherWay
  if (state === 'up') return `The other way, ${from} reaches ${to}.`
  if (state === 'lossy')
    return `The other way, ${from} misses ${lossRatio === null ? 'some' : percentText(lossRatio)} of the answers of ${to}.`
  if (state === 'slow') return `The other way, answers are slow too.`
  if (state === 'down') return `The other way, ${from} gets no answer from ${to} either.`
  return state === 'stale' || state === 'unknown' ? `Of the other way nothing is known.` : ''
}

/** Is it the destination, or only the way from here? */
function othersSentence({ from, to, state }: GraphLink, viaOthers: readonly GraphLink[]): string {
  const views = viaOthers.filter((view) => view.from !== from && view.state !== 'stale' && view.state !== 'unknown')
  if (views.length === 0) return ''
  const reaching = views.filter((view) => view.state === 'up' || view.state === 'slow' || view.state === 'lossy')
  const fails = state === 'down' || state === 'one-way' || state === 'partial'
  if (reaching.length === views.length) {
    const others =
      views.length === 1 ? `The other node that looks, ${reaching[0]?.from}, reaches it` : `All ${views.length} others reach it`
    return fails ? `Only ${from} has this trouble with ${to}: ${others.charAt(0).toLowerCase()}${others.slice(1)}.` : `${others}.`
  }
  if (reaching.length === 0)
    return fails ? `Nobody reaches ${to}: ${countText(views.length, 'other node')} tried.` : `No other node reaches ${to}.`
  const names = listText(views.filter((view) => !reaching.includes(view)).map((view) => view.from))
  return `${reaching.length} of ${views.length} others reach it; ${names} ${views.length - reaching.length === 1 ? 'does' : 'do'} not.`
}

function changeSentence(state: LinkState): string {
  switch (state) {
    case 'down':
    case 'one-way':
      return 'It counts as up again after a few answers in a row; more of them if it keeps failing.'
    case 'lossy':
      return 'It counts as up again when hardly a probe is lost for a whole window.'
    case 'slow':
      return 'It counts as up again when answers take half of what made it slow.'
    case 'stale':
      return 'It will be known again when the node is heard.'
    default:
      return ''
  }
}
