// The message that is read, in its thread: those before it as lines, it itself in full.

import { computed, signal, useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { call } from '../api/jmap/client'
import type { EmailAddress, EmailFull, EmailHead, Id, ViewMode } from '../api/jmap/types'
import { Badge, Button, Icon, Notice, popup, Spinner, toast, type PopupItem } from '../kit'
import { fullTime, plural, size } from '../lib/format'
import { explain } from '../lib/problem'
import * as actions from './actions'
import { Attachments, inlineOf, listedOf } from './attachments'
import { openCompose, type ComposeStart } from './compose'
import { Delivery } from './delivery'
import { explainJunk, internals, unsubscribe } from './dialogs'
import { inboxItems } from './inbox'
import { bodyUrl, exportMail, openTab, pageUrl, rawDownloadUrl, rawUrl, viewUrl } from './documents'
import { letter } from './letterkeys'
import { labelMenu, moreItems } from './list'
import { listing } from './listing'
import { moveMenu } from './mailboxes'
import { boxes, email, fullEmail, ignoreProblem, isLabel, isOffline, keepThreads, nameOf, need, needSenderModes, own, preferences, prefetch, senderMode, setSenderMode, thread } from './model'
import { Avatar, full, nameOfPerson, Plain, shortName } from './names'
import { place, toEmail, toSearch } from './place'
import { keptUrl, useKeeping, useKept } from './opened'
import { blocks, pieces, repetition, type Block } from './text'
import { longTime, middleTime, shortTime } from './times'
import { active, allHeaders, isAllSelected, isNarrow, isUnjudged, membersOf, rows, selected, step, target, targetOf, threading, title } from './view'

/** How long a message is looked at before it counts as read, and before it counts as wanted. */
const READ_MS = 500, WANTED_MS = 5000

/** The message of the thread that keys are for. */
export const current = signal<Id | null>(null)

/** How the current message is shown; keys change it. */
export const shownMode = signal<ViewMode>('text')
const once = signal<Readonly<Record<Id, ViewMode>>>({})

export function Reader() {
  const id = place.value.email
  if (id === null) return <section class="reader none" aria-label="Message"><Idle /></section>
  return <Conversation key={threading.value === 'off' ? id : email(id).value?.threadId ?? id} id={id} />
}

function Idle() {
  const number = isAllSelected.value ? rows.value.positions : selected.value.size
  return <div class="idle">
    <Icon name={number > 0 ? 'check' : 'mail'} size={40} />
    <p>{number > 0 ? `${plural(number, 'message')} chosen` : 'No message is open'}</p>
    <p class="muted small">{number > 0 ? 'What you do now is done to all of them.' : <>Press <kbd>j</kbd> for the next one, <kbd>?</kbd> for all keys</>}</p>
  </div>
}

function Conversation({ id }: { id: Id }) {
  const head = email(id).value, failed = useSignal<unknown>(undefined), pane = useRef<HTMLElement>(null)
  useEffect(() => {
    current.value = id
    void (async () => {
      try {
        await need([id])
        const now = email(id).peek()
        if (!now) {
          // Perhaps it was read before, and there is no network now.
          await fullEmail(id)
          return
        }
        if (threading.peek() !== 'off' && thread(now.threadId).peek() === undefined) {
          const { list } = await call('Thread/get', { ids: [now.threadId] })
          keepThreads(list)
          await need(list.flatMap(one => one.emailIds))
        }
      } catch (error) {
        failed.value = error
        ignoreProblem(error)
      }
    })()
  }, [id])
  const members = useRef(computed<readonly Id[]>(() => threading.value === 'off' ? [place.value.email ?? id] : membersOf(place.value.email ?? id))).current.value
  const [open, setOpen] = useState<ReadonlySet<Id>>(new Set([id])), [whole, setWhole] = useState(false)
  useLayoutEffect(() => {
    const row = rows.peek().at(rows.peek().indexOf(id))
    // What is new in a folded thread is read with it.
    const fresh = row && row.hidden.length > 0 ? row.hidden.filter(one => email(one).peek() && !email(one).peek()?.keywords['$seen']).slice(-5) : []
    setOpen(new Set([id, ...fresh]))
    setWhole(false)
  }, [id])
  useLayoutEffect(() => {
    const element = pane.current
    element?.querySelector(`[data-email="${CSS.escape(id)}"]`)?.scrollIntoView({ block: 'start' })
    if (members.length <= 1 && element) element.scrollTop = 0
  }, [id, members.length])
  if (!head) return <section class="reader" aria-label="Message"><Tools id={id} /><div class="inside">
    {failed.value === undefined ? <Spinner /> : <Notice state="bad">{explain(failed.value)}</Notice>}
  </div></section>
  const subject = email(members[0] ?? id).value?.subject?.trim() || head.subject?.trim() || '(no subject)'
  const labels = [...new Set(members.flatMap(one => Object.keys(email(one).value?.keywords ?? {}).filter(isLabel)))].sort()
  // Of many that are closed, only the outermost are shown.
  const closed = members.filter(one => !open.has(one)), firstOpen = members.findIndex(one => open.has(one))
  const skipped = !whole && firstOpen > 3 ? members.slice(1, firstOpen - 1) : []
  return <section class={`reader${open.size === 1 ? ' single' : ''}`} aria-label="Message" ref={pane} id="message" tabIndex={-1}>
    {isNarrow.value && <h1 class="hidden">{title.value}</h1>}
    <Tools id={id} />
    <div class="subject">
      <h2 id="subject" tabIndex={-1} dir="auto"><Plain text={subject} /></h2>
      {labels.map(name => <Badge key={name} state="accent"><button type="button" class="bare" title={`Look for the label ${name}`} onClick={() => toSearch(`label:${name}`)}>{name}</button></Badge>)}
      {head.muted && <Badge>Muted</Badge>}
      {members.length > 1 && <Button tone="quiet" small onPress={() => setOpen(closed.length > 0 ? new Set(members) : new Set([id]))}>{closed.length > 0 ? `Open all ${members.length}` : 'Close all'}</Button>}
    </div>
    {members.map(one => {
      if (skipped.includes(one)) return one === skipped[0] ? <button key="skipped" type="button" class="skipped" onClick={() => setWhole(true)}>{plural(skipped.length, 'message')} between</button> : null
      return open.has(one)
        ? <Article key={one} id={one} isCurrent={current.value === one} onClose={members.length > 1 ? () => setOpen(new Set([...open].filter(other => other !== one))) : undefined} />
        : <Line key={one} id={one} onOpen={() => {
          current.value = one
          setOpen(new Set([...open, one]))
        }} />
    })}
  </section>
}

/** Starts an answer to a message; what is selected of its text is quoted. */
export function answer(kind: ComposeStart['kind'], id: Id | null = current.peek() ?? place.peek().email ?? active.peek()): void {
  if (id === null) return
  const chosen = window.getSelection(), text = chosen?.toString().trim() ?? ''
  const within = chosen?.anchorNode instanceof Node && document.querySelector(`[data-email="${CSS.escape(id)}"] .plaintext`)?.contains(chosen.anchorNode)
  openCompose({ kind, emailId: id, ...(within && text !== '' ? { selection: text } : {}) })
}

/** To a list, if it came from one; else to whom it is from. */
export function answerListOrSender(id: Id | null = current.peek() ?? active.peek()): void {
  if (id === null) return
  fullEmail(id).then(one => answer(hasList(one) ? 'replyList' : 'reply', id), () => answer('reply', id))
}

/** Whether it came from a list that takes answers. */
function hasList(one: EmailFull): boolean {
  return one['header:List-Post:asURLs']?.some(url => url.startsWith('mailto:')) === true
}

// What is done with the whole of it.

function Tools({ id }: { id: Id }) {
  const act = (run: (of: actions.Target) => unknown, whole = false) => () => run(target(whole))
  const one = targetOfOpen(id), box = boxOf(id), isJunk = box?.role === 'junk' || box?.id === preferences.value.rejects
  const before = step(-1), after = step(1)
  return <div class="tools" role="group" aria-label="Message actions">
    <span class="back"><Button tone="quiet" small square icon="left" title="Back to the list (Esc)" onPress={() => toEmail(null)}>Back to the list</Button></span>
    <Button tone="quiet" small square icon="archive" title="Archive (a)" onPress={() => actions.archive(one())}>Archive</Button>
    {isJunk ? <Button tone="quiet" small icon="check" title="Not junk (Q)" onPress={() => actions.notJunk(one(), preferences.peek().rejects)}>Not junk</Button>
      : <Button tone="quiet" small square icon="spam" title="Junk (q)" onPress={() => actions.junk(one())}>Junk</Button>}
    <Button tone="quiet" small square icon="trash" title="To the trash (d)" onPress={() => actions.trash(one())}>To the trash</Button>
    <Button tone="quiet" small square icon="folder" title="Move to… (w)" onPress={event => moveMenu(event.currentTarget as Element, to => actions.move(one(), to))}>Move to…</Button>
    <Button tone="quiet" small square icon="tag" title="Labels… (y)" onPress={event => labelMenu(event.currentTarget as Element, one)}>Labels…</Button>
    <Button tone="quiet" small square icon="unread" title="Mark as unread (M)" onPress={() => {
      void actions.markUnread([current.peek() ?? id])
      if (isNarrow.peek()) toEmail(null)
    }}>Mark as unread</Button>
    <Button tone="quiet" small square icon="more" title="More" onPress={event => popup(event.currentTarget as Element, 'More', moreItems(act, one()).slice(1))}>More</Button>
    <span class="space" />
    <Button tone="quiet" small square icon="up" title="The one above (k)" disabled={before === null || before === id} onPress={() => before !== null && toEmail(before)}>The one above</Button>
    <Button tone="quiet" small square icon="down" title="The one below (j)" disabled={after === null || after === id} onPress={() => after !== null && toEmail(after)}>The one below</Button>
  </div>
}

function targetOfOpen(id: Id): () => actions.Target {
  return () => rows.peek().indexOf(id) >= 0 ? targetOf(id) : [id]
}

function boxOf(id: Id) {
  const [first] = Object.keys(email(id).value?.mailboxIds ?? {})
  return first === undefined ? undefined : boxes.value.get(first)
}

// One message.

function Line({ id, onOpen }: { id: Id, onOpen: () => void }) {
  const head = email(id).value
  if (!head) return null
  const [from] = head.from ?? [], box = boxOf(id), time = new Date(head.receivedAt)
  return <button type="button" class={`mailline${head.keywords['$seen'] ? '' : ' unread'}`} onClick={onOpen} data-email={id} aria-expanded="false">
    <Avatar person={from} />
    <span class="people"><Plain text={from ? nameOfPerson(from) : '(no sender)'} /></span>
    {head.keywords['$draft'] && <Badge state="bad">Draft</Badge>}
    {box && box.id !== placeBox() && <Badge>{nameOf(box)}</Badge>}
    <span class="preview"><Plain text={head.preview} /></span>
    {head.hasAttachment && <Icon name="attach" size={14} />}
    <time dateTime={head.receivedAt} title={fullTime(time)}>{shortTime(time)}</time>
  </button>
}

function placeBox(): Id | undefined {
  const filter = listing.peek()?.query.filter
  return filter && !('operator' in filter) ? filter.inMailbox : undefined
}

function Article({ id, isCurrent, onClose }: { id: Id, isCurrent: boolean, onClose: (() => void) | undefined }) {
  const head = email(id).value, body = useSignal<EmailFull | undefined>(undefined), failed = useSignal<unknown>(undefined)
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    let left = false
    fullEmail(id).then(async one => {
      if (left) return
      const address = one.from?.[0]?.email
      // How it is to be shown is known before it is, so that nothing is shown twice.
      if (address && one.htmlBody.some(part => part.type === 'text/html') && senderMode(address).peek() === undefined) await needSenderModes([address])
      body.value = one
      failed.value = undefined
      const next = isCurrent ? step(1) : null
      if (next !== null) prefetch(next)
    }, (error: unknown) => {
      failed.value = error
      ignoreProblem(error)
    })
    return () => { left = true }
  }, [id, turn])
  useMarks(id, isCurrent)
  useKeeping(body.value, body.value ? [...listedOf(body.value), ...inlineOf(body.value)] : [], body.value !== undefined && modeOf(body.value).shown !== 'text')
  if (!head) return null
  const one = body.value, [from] = head.from ?? [], isOfList = one !== undefined && hasList(one)
  return <article class={`mail${isCurrent ? ' current' : ''}`} data-email={id} aria-label={`Message from ${from ? nameOfPerson(from) : 'nobody'}`}
    onPointerDown={() => { current.value = id }} onFocusCapture={() => { current.value = id }}>
    <Head head={head} body={one} onClose={onClose} />
    {one && <Judged id={id} />}
    {failed.value !== undefined && <div class="inside">{isOffline.value ? <Notice state="warn">You are offline, and this browser has not kept this message.</Notice> : <Notice state="bad">{explain(failed.value)}</Notice>}<Button icon="refresh" onPress={() => setTurn(turn + 1)}>Try again</Button></div>}
    {!one && failed.value === undefined && <div class="inside"><Spinner /></div>}
    {one && <Body email={one} isCurrent={isCurrent} />}
    {one && <Attachments email={one} />}
    {one && <div class="answers">
      {head.keywords['$draft'] ? <Button icon="edit" tone="primary" title="Go on writing (e)" onPress={() => openCompose({ kind: 'draft', emailId: id })}>Go on writing</Button> : <>
        <Button icon="reply" title={isOfList ? 'Reply to the sender' : 'Reply (r)'} onPress={() => answer('reply', id)}>Reply</Button>
        {hasOthers(one) && <Button icon="replyall" title="Reply to all (R)" onPress={() => answer('replyAll', id)}>Reply to all</Button>}
        {isOfList && <Button icon="people" title="Reply to the list (r)" onPress={() => answer('replyList', id)}>Reply to the list</Button>}
        <Button icon="forward" title="Forward (f)" onPress={() => answer('forward', id)}>Forward</Button>
      </>}
    </div>}
  </article>
}

/** What lies among junk says so; the button that gets it out stands above. */
function Judged({ id }: { id: Id }) {
  const box = boxOf(id)
  if (!box || (box.role !== 'junk' && box.id !== preferences.value.rejects)) return null
  return <div class="blocked why">
    <Icon name="spam" size={16} /><span>{box.role === 'junk' ? 'This is among the junk. Its links may lead to harm.' : 'This was refused when it came. Its links may lead to harm.'}</span>
    <Button small onPress={() => explainJunk(id)}>Why?</Button>
  </div>
}

function hasOthers(one: EmailFull): boolean {
  return [...one.to ?? [], ...one.cc ?? []].filter(({ email: address }) => !own.value.has(address.toLowerCase())).length > 0
}

/** Marks it as read, and as wanted, after a while. */
function useMarks(id: Id, isCurrent: boolean): void {
  const isUnread = email(id).value?.keywords['$seen'] === undefined && email(id).value !== undefined
  useEffect(() => {
    if (!isUnread) return
    const timer = setTimeout(() => { if (email(id).peek() && !document.hidden) void actions.markRead([id], true) }, READ_MS)
    return () => clearTimeout(timer)
  }, [id])
  useEffect(() => {
    if (!isCurrent) return
    const timer = setTimeout(() => {
      const head = email(id).peek(), box = Object.keys(head?.mailboxIds ?? {}).map(one => boxes.peek().get(one))
      const isOwn = head?.keywords['$draft'] || box.some(one => one?.role === 'sent' || one?.role === 'drafts')
      if (head?.keywords['$seen'] && !isOwn && !document.hidden && !isUnjudged(head.mailboxIds)) void actions.judgeNotJunk(id)
    }, WANTED_MS)
    return () => clearTimeout(timer)
  }, [id, isCurrent])
}

const LISTED = 3

function Head({ head, body, onClose }: { head: EmailHead, body: EmailFull | undefined, onClose: (() => void) | undefined }) {
  const [details, setDetails] = useState(false), [from] = head.from ?? [], time = new Date(head.receivedAt), origin = body?.origin
  const all = [...head.to ?? [], ...body?.cc ?? [], ...body?.bcc ?? []], isMine = (person: EmailAddress) => own.value.has(person.email.toLowerCase())
  const to = [...all.filter(isMine), ...all.filter(person => !isMine(person))]
  const isOwn = from !== undefined && own.value.has(from.email.toLowerCase())
  const validated = origin === undefined || origin === null || isOwn ? '' : origin.fromValidated ? ' validated' : ' unvalidated'
  const sender = body?.sender?.[0], box = boxOf(head.id)
  return <header class="mailhead">
    <Avatar person={from} />
    <div class="text">
      <div class="line">
        <span class={`from${validated}`} title={validated === ' validated' ? 'The domain of the sender confirms that the message is from there.' : validated === '' ? undefined : 'Nothing confirms that the message is from the domain of the sender.'}>
          <strong><Plain text={from ? nameOfPerson(from) : '(no sender)'} /></strong>{from && nameOfPerson(from) !== from.email && <span class="address">{' '}<Plain text={from.email} /></span>}
        </span>
        {sender && from && sender.email.toLowerCase() !== from.email.toLowerCase() && <span class="muted small">by <Plain text={sender.email} /></span>}
        <span class="space" />
        <time dateTime={head.receivedAt} title={fullTime(time)}>{isNarrow.value ? middleTime(time) : longTime(time)}</time>
        <span class="buttons">
          <Button tone="quiet" small square icon="reply" title={body && hasList(body) ? 'Reply to the sender' : 'Reply (r)'} onPress={() => answer('reply', head.id)}>Reply</Button>
          <Button tone="quiet" small square icon="more" title="More about this message" onPress={event => popup(event.currentTarget as Element, 'More about this message', articleItems(head, body))}>More about this message</Button>
          {onClose && <Button tone="quiet" small square icon="up" title="Close this message" onPress={onClose}>Close this message</Button>}
        </span>
      </div>
      <button type="button" class="to" aria-expanded={details} onClick={() => setDetails(!details)}>
        to {to.length === 0 ? 'nobody that is named' : to.slice(0, LISTED).map(to.length > 1 ? shortName : nameOfPerson).join(', ')}{to.length > LISTED && ` and ${to.length - LISTED} more`}<Icon name={details ? 'up' : 'down'} size={12} />
      </button>
      {body && <Badges body={body} />}
      {box?.role === 'sent' && !head.keywords['$draft'] && <Delivery id={head.id} />}
    </div>
    {details && <Details head={head} body={body} />}
    {body && <ExtraHeaders body={body} />}
  </header>
}

function Badges({ body: { origin, isSigned, isEncrypted, keywords } }: { body: EmailFull }) {
  const found: ComponentChildren[] = []
  if (keywords['$phishing']) found.push(<Badge key="phishing" state="bad" title="A program or you marked it so.">Phishing</Badge>)
  if (origin?.isReject) found.push(<Badge key="reject" state="warn" title={origin.reason}>Was refused</Badge>)
  if (origin && !origin.fromValidated && origin.remoteIP !== '') found.push(<Badge key="from" state="warn" title="Nothing confirms that the message is from the domain of its sender.">Sender not confirmed</Badge>)
  if (origin?.tls === 'plain') found.push(<Badge key="tls" state="warn" title="It came here without encryption.">Not encrypted on its way</Badge>)
  else if (origin && origin.tls !== '') found.push(<Badge key="tls" title={`It came here encrypted${origin.tlsCipher ? `: ${origin.tlsCipher}` : ''}.`}>{origin.tls}{origin.requireTLS ? ', required' : ''}</Badge>)
  if (origin?.isMailingList) found.push(<Badge key="list">Mailing list</Badge>)
  if (origin?.isForward) found.push(<Badge key="forward">Forwarded</Badge>)
  if (isEncrypted) found.push(<Badge key="encrypted" title="Its content is encrypted. A mail program with your key reads it.">Encrypted</Badge>)
  if (isSigned) found.push(<Badge key="signed" title="It has a signature, which is not checked here.">Signed</Badge>)
  return found.length > 0 ? <div class="badges">{found}</div> : null
}

function Details({ head, body }: { head: EmailHead, body: EmailFull | undefined }) {
  const people = (list: readonly EmailAddress[] | null | undefined) => list && list.length > 0 &&
    <ul>{list.map((person, index) => <li key={index}><Plain text={full(person)} /></li>)}</ul>
  const rowsOf: (readonly [string, ComponentChildren])[] = [
    ['From', people(head.from)], ['Sender', people(body?.sender)], ['Reply to', people(body?.replyTo)], ['To', people(head.to)], ['Cc', people(body?.cc)], ['Bcc', people(body?.bcc)],
    ['Written', body?.sentAt ? fullTime(new Date(body.sentAt)) : null], ['Received', fullTime(new Date(head.receivedAt))],
    ['Size', size(head.size)], ['Mailbox', Object.keys(head.mailboxIds).map(id => boxes.value.get(id)).filter(one => one !== undefined).map(nameOf).join(', ')],
    ['List', body?.['header:List-Id:asText']], ['Came from', body?.origin?.remoteIP], ['For', body?.origin?.rcptTo],
  ]
  return <dl class="details">{rowsOf.map(([name, value]) => value ? [<dt key={`${name} name`}>{name}</dt>, <dd key={name}>{value}</dd>] : null)}</dl>
}

function ExtraHeaders({ body }: { body: EmailFull }) {
  const all = body.headers ?? [], wanted = preferences.value.showHeaders.map(name => name.toLowerCase())
  const shown = allHeaders.value === 'yes' ? all : all.filter(({ name }) => wanted.includes(name.toLowerCase()))
  return shown.length === 0 ? null : <dl class="details headers">{shown.map(({ name, value }, index) => [<dt key={`${index} name`}>{name}</dt>, <dd key={index} class="mono"><Plain text={value.trim()} /></dd>])}</dl>
}

function articleItems(head: EmailHead, body: EmailFull | undefined): (PopupItem | null)[] {
  const { id } = head, [from] = head.from ?? [], mode = shapeOf(body)
  const links = body?.['header:List-Unsubscribe:asURLs'] ?? []
  return [
    { text: 'Reply', icon: 'reply', keys: 'r', run: () => answer('reply', id) },
    { text: 'Reply to all', icon: 'replyall', keys: 'R', run: () => answer('replyAll', id) },
    { text: 'Forward', icon: 'forward', keys: 'f', run: () => answer('forward', id) },
    null,
    ...links.length > 0 && body ? [{ text: 'Unsubscribe…', icon: 'ban' as const, run: () => unsubscribe(body) }] : [],
    ...from ? [{ text: `All from ${from.email}`, icon: 'search' as const, run: () => toSearch(`from:${from.email}`) }] : [],
    { text: 'Rule from this message…', icon: 'route', run: () => import('./rulesets').then(({ openRule }) => openRule(id)) },
    { text: 'Why is this here?', icon: 'question', run: () => explainJunk(id) },
    null,
    { text: 'In a tab of its own', icon: 'outside', keys: 'o', run: () => openTab(pageUrl(id, mode)) },
    { text: 'Print…', icon: 'print', keys: 'Ctrl P', run: () => openTab(pageUrl(id, mode)) },
    { text: 'Download as a file', icon: 'download', run: () => { location.href = rawDownloadUrl(id) } },
    { text: 'Export…', icon: 'archive', run: () => exportMail({ emailIds: [id] }) },
    null,
    { text: 'All headers', checked: allHeaders.value === 'yes', keys: 'Ctrl I', run: () => { allHeaders.value = allHeaders.value === 'yes' ? 'no' : 'yes' } },
    { text: 'Source', icon: 'code', keys: 'O', run: () => openTab(rawUrl(id)) },
    { text: 'Internals', icon: 'list', keys: 'I', run: () => internals(id) },
    ...inboxItems(id),
  ]
}

function shapeOf(body: EmailFull | undefined) {
  const mode = body ? modeOf(body).shown : 'text'
  return mode === 'external' ? 'htmlexternal' : mode
}

/** Opens the current message to print, or its source. */
export async function openDocument(kind: 'page' | 'raw'): Promise<void> {
  const id = current.peek() ?? place.peek().email
  if (id === null) return
  openTab(kind === 'raw' ? rawUrl(id) : pageUrl(id, shapeOf(await fullEmail(id).catch(() => undefined))))
}

// Bodies.

/** What is shown, and between what one may choose. */
function modeOf(one: EmailFull): { shown: ViewMode, hasText: boolean, hasHTML: boolean } {
  const hasHTML = one.htmlBody.some(part => part.type === 'text/html'), hasText = one.textBody.some(part => part.type === 'text/plain')
  const address = one.from?.[0]?.email, kept = address ? senderMode(address).value : undefined
  const wanted = once.value[one.id] ?? kept ?? (preferences.value.showHTML ? 'html' : 'text')
  return { hasHTML, hasText, shown: !hasHTML ? 'text' : wanted === 'text' && !hasText ? 'html' : wanted }
}

/** Shows the current message so, and later ones of its sender. */
export function chooseMode(mode: ViewMode): void {
  const id = current.peek()
  if (id === null) return
  void fullEmail(id).then(one => {
    const { [id]: _, ...others } = once.peek(), address = one.from?.[0]?.email
    once.value = address ? others : { ...others, [id]: mode }
    if (address) void setSenderMode(address, mode)
  }, ignoreProblem)
}

const REMOTE = /(?:src|srcset|background|poster|data|href)\s*=\s*["']?\s*(?:https?:)?\/\/[^>]*?(?:\.(?:png|jpe?g|gif|webp|svg)|>)|<img\b[^>]+src\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?(?:https?:)?\/\//i

/** Whether HTML would load something from elsewhere to show it whole. */
export function wantsImages(html: string): boolean {
  return REMOTE.test(html.replace(/<a\b[^>]*>/gi, ''))
}

function Body({ email: one, isCurrent }: { email: EmailFull, isCurrent: boolean }) {
  const { shown, hasText, hasHTML } = modeOf(one)
  useEffect(() => { if (isCurrent) shownMode.value = shown }, [isCurrent, shown])
  useEffect(() => {
    if (shown !== 'text') return
    performance.mark('webmail:message')
  }, [one.id, shown])
  const html = one.htmlBody.map(part => part.partId === null ? '' : one.bodyValues[part.partId]?.value ?? '').join('')
  const blocked = shown === 'html' && wantsImages(html), [from] = one.from ?? [], kept = useKept(one.id)
  const height = useMemo(() => letterHeight(html), [html])
  const source = !isOffline.value ? bodyUrl(one.id, shown === 'external' ? 'htmlexternal' : 'html') : kept.has('html') ? keptUrl(one.id, 'html') : null
  return <>
    {hasHTML && <div class="modes" role="group" aria-label="How it is shown">
      {hasText && <button type="button" aria-pressed={shown === 'text'} title="Text (t)" onClick={() => chooseMode('text')}>Text</button>}
      <button type="button" aria-pressed={shown === 'html'} title="HTML (T)" onClick={() => chooseMode('html')}>HTML</button>
      <button type="button" aria-pressed={shown === 'external'} title="HTML with what it loads from elsewhere (T again)" onClick={() => chooseMode('external')}>With images</button>
    </div>}
    {blocked && <div class="blocked">
      <Icon name="image" size={16} /><span title="Loading them would tell the sender that you read this, and where.">Images from elsewhere are not loaded.</span>
      <Button small onPress={() => { once.value = { ...once.peek(), [one.id]: 'external' } }}>Show images</Button>
      {from && <Button small tone="quiet" onPress={() => {
        void setSenderMode(from.email, 'external')
        toast(`Images of ${from.email} are always shown now`)
      }}>Always for this sender</Button>}
    </div>}
    {shown === 'text' || source === null ? <TextBody email={one} /> : <Frame key={source} source={source} title={one.subject ?? ''} height={height} />}
  </>
}

/** Characters of a line in a narrow window, where lines are the most. */
const LINE = 36

/**
 * A height for a short letter of nothing but text, with room to spare: it scrolls within, should it be longer. Undefined
 * for all others, whose height nobody outside of them knows.
 */
export function letterHeight(html: string): string | undefined {
  if (html.length > 20_000 || /<(?:img|table|svg|video|hr|style|link|font)\b|(?:height|padding|margin|size|background)\s*:/i.test(html)) return undefined
  const paragraphs = html.split(/<(?:p|h[1-6]|ul|ol|blockquote)\b/i).length - 1
  const lines = textOf(html).split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / LINE)), 0)
  return lines > 24 ? undefined : `${4 + 1.75 * lines + paragraphs}rem`
}

/** What is kept comes in a page of the worker, which holds the letter in a sandbox as strict as this one. */
function Frame({ source, title, height }: { source: string, title: string, height: string | undefined }) {
  const [loaded, setLoaded] = useState(false), box = useRef<HTMLIFrameElement>(null), hint = useId()
  const hasKeys = letter.value !== null && letter.value === box.current
  return <div class={`letter${hasKeys ? ' keyed' : ''}${height === undefined ? '' : ' short'}`} style={height === undefined ? {} : { '--high': height }}>
    <button type="button" class="past" onClick={event => focusBehind(event.currentTarget)}>Past the letter</button>
    <iframe ref={box} class={`document${loaded ? '' : ' waiting'}`} title={`Message: ${title}`} aria-describedby={hint}
      {...(source.startsWith('msg/') ? { sandbox: 'allow-popups allow-popups-to-escape-sandbox' } : {})} src={source} onLoad={() => {
        setLoaded(true)
        performance.mark('webmail:message')
      }} />
    <p class="letterhint" id={hint} hidden={!hasKeys}>Keys scroll the letter. Back to the page: move the pointer out, or Shift Tab.</p>
  </div>
}

/** Puts the focus on what comes behind a letter, so that one need not go along all its links. */
function focusBehind(one: Element): void {
  one.closest('article')?.querySelector<HTMLElement>('.attachments button, .answers button')?.focus()
}

function TextBody({ email: one }: { email: EmailFull }) {
  const kept = useKept(one.id), pictureUrl = (part: string) => kept.has(part) ? keptUrl(one.id, part) : viewUrl(one.id, part)
  const parts = one.textBody.length > 0 ? one.textBody : one.htmlBody
  const shown = parts.map((part, index) => {
    if (part.type.startsWith('image/')) return part.partId === null ? null : <Picture key={index} src={pictureUrl(part.partId)} alt={part.name ?? ''} />
    const value = part.partId === null ? undefined : one.bodyValues[part.partId]
    if (!value) return null
    return <div key={index}>
      <Text text={part.type === 'text/html' ? textOf(value.value) : value.value} />
      {value.isTruncated && <Notice state="warn">The text is longer than what is shown. <a href={rawDownloadUrl(one.id)}>Download the message</a></Notice>}
      {value.isEncodingProblem && <p class="muted small">Some letters could not be read.</p>}
    </div>
  })
  const pictures = inlineOf(one)
  return <div class="plaintext">
    {shown.some(part => part !== null) ? shown : <p class="muted">{one.attachments.length > 0 ? 'The message has no text, only attachments.' : 'The message is empty.'}</p>}
    {pictures.map(part => <Picture key={part.partId} src={pictureUrl(part.partId ?? '')} alt={part.name ?? 'Picture in the message'} />)}
  </div>
}

function Picture({ src, alt }: { src: string, alt: string }) {
  return <img class="picture" src={src} alt={alt} loading="lazy" />
}

/** The words of HTML, for when its document cannot be had. */
export function textOf(html: string): string {
  // Styles would be complained of, since the page's policy is that of the parser.
  const parsed = new DOMParser().parseFromString(html.replace(/\sstyle\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)/gi, ''), 'text/html')
  for (const one of parsed.querySelectorAll('script, style, head')) one.remove()
  for (const one of parsed.querySelectorAll('br, p, div, tr, li, h1, h2, h3, blockquote')) one.append('\n')
  return (parsed.body.textContent ?? '').replace(/[ \t]+/g, ' ').replace(/ ?\n ?/g, '\n').replace(/\n{3,}/g, '\n\n').trim()
}

export function Text({ text }: { text: string }) {
  const all = blocks(text), from = repetition(all), [whole, setWhole] = useState(false)
  return <>
    {all.slice(0, whole ? all.length : from).map((one, index) => <BlockView key={index} block={one} />)}
    {from < all.length && <button type="button" class="repetition" aria-expanded={whole} title={whole ? 'Hide what was said before' : 'Show what was said before'} onClick={() => setWhole(!whole)}>•••</button>}
  </>
}

function BlockView({ block: { depth, text, isSignature } }: { block: Block }) {
  const content = <p class={isSignature ? 'signature' : undefined}>{pieces(text).map((piece, index) => piece.href === undefined ? <Plain key={index} text={piece.text} />
    : <a key={index} href={piece.href} {...(piece.href.startsWith('mailto:') ? { onClick: (event: Event) => {
      event.preventDefault()
      openCompose({ kind: 'mailto', mailto: piece.href ?? '' })
    } } : { target: '_blank', rel: 'noopener noreferrer' })}><Plain text={piece.text} /></a>)}</p>
  let nested: ComponentChildren = content
  for (let level = Math.min(depth, 6); level > 0; level -= 1) nested = <blockquote class={`quote depth${level}`}>{nested}</blockquote>
  return <>{nested}</>
}
