// The list of messages. Only rows that are in view exist, so that a hundred thousand are as quick as ten.

import { useComputed } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { EmailHead, Id } from '../api/jmap/types'
import { Badge, Button, Empty, Icon, Notice, popup, type IconName, type PopupItem } from '../kit'
import { count, fullTime, plural, size } from '../lib/format'
import { explain } from '../lib/problem'
import * as actions from './actions'
import { openCompose } from './compose'
import { listing } from './listing'
import { dragged, DRAG_TYPE, moveMenu } from './mailboxes'
import { marked } from './marks'
import { boxes, email, isLabel, isOffline, labels, nameOf, preferences } from './model'
import { Avatar, full, nameOfPerson, Plain, shortName } from './names'
import { place, toEmail, toSearch } from './place'
import type { Row } from './rows'
import { exportMail } from './documents'
import { shortTime } from './times'
import {
  activate, active, clearSelection, extend, fold, isAllSelected, isSelected, isUnfolded, listProblem, mailbox, order, refine, rows, selectAll, selected, showsRecipients, target, targetOf,
  threading, title, toggle, type Refine,
} from './view'

/** Rows beyond the window's edges that exist already. */
const BEYOND = 8
/** No element may be higher than browsers can draw; longer lists scroll faster. */
const HIGHEST = 12_000_000

export function MessageList() {
  const box = useRef<HTMLDivElement>(null), [top, setTop] = useState(0), [room, setRoom] = useState({ width: 0, height: 0 })
  const now = listing.value, all = rows.value, isWide = room.width >= 640
  const isCoarse = useRef(matchMedia('(pointer: coarse)').matches)
  const high = isWide ? (isCoarse.current ? 48 : 40) : 80
  const whole = all.length * high, drawn = Math.min(whole, HIGHEST)
  // Where the list is longer than what is drawn of it, one step of the scroll bar is several.
  const ratio = drawn > room.height && whole > drawn ? (whole - room.height) / (drawn - room.height) : 1
  const from = Math.max(0, Math.floor((top * ratio) / high) - BEYOND), to = Math.min(all.length, Math.ceil((top * ratio + room.height) / high) + BEYOND)

  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const measure = () => setRoom({ width: element.clientWidth, height: element.clientHeight })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  // What is looked at is fetched.
  const first = all.at(from)?.position ?? 0, last = (all.at(to - 1)?.position ?? 0) + 1
  useEffect(() => { if (room.height > 0) void now?.ensure(first, Math.max(last, first + 1)) }, [now, first, last, now?.version.value, room.height > 0])

  // Another list begins at its top.
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = 0
    setTop(0)
  }, [now])

  // What is looked at stays where it is when something comes above it.
  const edge = useRef<{ id: Id, index: number } | null>(null)
  useLayoutEffect(() => {
    const element = box.current, before = edge.current
    if (element && before && element.scrollTop > 0 && ratio === 1) {
      const index = all.indexOf(before.id)
      if (index >= 0 && index !== before.index) {
        element.scrollTop += (index - before.index) * high
        setTop(element.scrollTop)
      }
    }
    const index = Math.floor((element?.scrollTop ?? 0) / high), id = all.at(index)?.id
    edge.current = id === undefined ? null : { id, index }
  }, [all, top])

  // The active row is in view.
  const at = active.value
  useLayoutEffect(() => {
    const element = box.current, index = at === null ? -1 : rows.peek().indexOf(at)
    if (!element || index < 0 || room.height === 0) return
    const upper = index * high / ratio, lower = upper + high
    if (upper < element.scrollTop) element.scrollTop = upper
    else if (lower > element.scrollTop + room.height) element.scrollTop = lower - room.height
  }, [at, room.height, high])

  const shown: { row: Row, index: number }[] = []
  for (let index = from; index < to; index += 1) {
    const row = all.at(index)
    if (row) shown.push({ row, index })
  }
  const failed = listProblem.value ?? (now?.problem.value !== undefined && all.length === 0 ? explain(now.problem.value) : null)
  // Before mailboxes are known, too: what comes is a list.
  const isWaiting = (now === null || now.loading.value) && all.length === 0 && failed === null
  const isEmpty = now !== null && !now.loading.value && all.length === 0 && failed === null
  return <section class={`messages${isWide ? ' wide' : ''}`} aria-label="Messages">
    {selected.value.size > 0 || isAllSelected.value ? <SelectionBar /> : <ListHead />}
    <div class={`rows${isWaiting ? ' loading' : ''}`} ref={box} tabIndex={0} role={failed !== null || isEmpty ? 'group' : 'listbox'} aria-multiselectable={failed !== null || isEmpty ? undefined : 'true'} aria-label={`Messages in ${title.value}`}
      aria-activedescendant={at !== null && all.indexOf(at) >= 0 ? `row-${at}` : undefined} aria-busy={now?.loading.value} id="messages"
      onScroll={event => setTop(event.currentTarget.scrollTop)}>
      <div class="all" ref={element => { if (element) element.style.height = `${drawn}px` }}>
        {shown.map(({ row, index }) => <Place key={row.id ?? `#${index}`} top={index * high - (top * ratio - top)} high={high}>
          {row.id === undefined ? <Waiting /> : <RowView id={row.id} row={row} index={index} of={all.length} isWide={isWide} />}
        </Place>)}
      </div>
      {isWaiting && Array.from({ length: 8 }, (_, index) => <div key={index} class="mailrow placeholder"><Waiting /></div>)}
      {failed !== null && <div class="inside"><Notice state="bad">{failed}</Notice>{now && <Button icon="refresh" onPress={() => now.reload()}>Try again</Button>}</div>}
      {isEmpty && <Nothing />}
    </div>
  </section>
}

function Place({ top, high, children }: { top: number, high: number, children: preact.ComponentChildren }) {
  return <div class="place" ref={element => {
    if (!element) return
    element.style.transform = `translateY(${top}px)`
    element.style.height = `${high}px`
  }}>{children}</div>
}

function Waiting() {
  return <div class="waiting" aria-hidden="true"><span /><span /><span /></div>
}

function Nothing() {
  const { search } = place.value, role = mailbox.value?.role
  if (isOffline.value) return <Empty icon="offline">This list was not loaded before the connection was lost.</Empty>
  if (refine.value !== '') return <Empty icon="filter">Nothing here is like that. <button type="button" class="linklike" onClick={() => { refine.value = '' }}>Show all</button></Empty>
  if (search !== null) return <Empty icon="search">Nothing was found.{!/\b(mb|mailbox|submb):/.test(search) && <> <button type="button" class="linklike" onClick={() => toSearch(`mb: ${search}`)}>Look in Trash, Junk and Rejects, too</button></>}</Empty>
  return <Empty icon={role === 'inbox' ? 'check' : 'folder'}>{role === 'inbox' ? 'The Inbox is empty.' : role === 'trash' ? 'The trash is empty.' : role === 'junk' ? 'There is no junk.' : 'There are no messages here.'}</Empty>
}

// Above the rows.

const REFINES: readonly (readonly [Refine, string, IconName])[] = [['unread', 'Unread', 'unread'], ['flagged', 'Flagged', 'flag'], ['attachments', 'Files', 'attach'], ['read', 'Read', 'check']]

function ListHead() {
  const now = refine.value, box = mailbox.value, all = listing.value
  void all?.version.value
  const total = all?.list.length ?? 0
  return <header class="listhead">
    <div class="line">
      <label class="hit"><input type="checkbox" aria-label="Choose all messages" title="Choose all (Ctrl A)" checked={false} disabled={total === 0} onClick={event => {
        event.preventDefault()
        selectAll()
      }} /></label>
      <h1 id="listtitle">{title.value}</h1>
      <span class="muted small number" role="status">{all && !all.loading.value ? box && now === '' && !all.query.collapseThreads ? count(box.totalEmails) : count(total) : ''}</span>
      <span class="space" />
      <Button tone="quiet" small square icon="refresh" title="Look for new messages" onPress={() => listing.peek()?.follow()}>Look for new messages</Button>
      <Button tone="quiet" small square icon="list" title="Order and threads" onPress={event => popup(event.currentTarget as Element, 'Order and threads', [
        { text: 'Newest first', checked: order.value === 'newest', run: () => { order.value = 'newest' } },
        { text: 'Oldest first', checked: order.value === 'oldest', run: () => { order.value = 'oldest' } },
        null,
        { text: 'Threads', checked: threading.value === 'on', run: () => { threading.value = 'on' } },
        { text: 'Threads, unfolded where unread', checked: threading.value === 'unread', run: () => { threading.value = 'unread' } },
        { text: 'Single messages', checked: threading.value === 'off', run: () => { threading.value = 'off' } },
      ])}>Order and threads</Button>
    </div>
    <div class="chips" role="group" aria-label="Show only">
      {REFINES.map(([value, text]) => <button key={value} type="button" class="chip" aria-pressed={now === value} onClick={() => { refine.value = now === value ? '' : value }}>{text}</button>)}
      {now.startsWith('label:')
        ? <button type="button" class="chip" aria-pressed="true" onClick={() => { refine.value = '' }}>{now.slice(6)}</button>
        : <button type="button" class="chip" aria-haspopup="menu" onClick={event => popup(event.currentTarget, 'Label',
          labels.value.length > 0 ? labels.value.map(name => ({ text: name, icon: 'tag', run: () => { refine.value = `label:${name}` } })) : [{ text: 'No labels yet', run: () => undefined }],
          { search: labels.value.length > 8 })}>Label<Icon name="down" size={12} /></button>}
    </div>
  </header>
}

function SelectionBar() {
  const all = isAllSelected.value, total = rows.value.positions, number = all ? total : selected.value.size
  const act = (run: (of: actions.Target) => unknown, whole = false) => async () => {
    const what = target(whole)
    await run(what)
    if (isAllSelected.peek()) clearSelection()
  }
  return <header class="listhead selection" aria-label="Chosen messages">
    <div class="line">
      <label class="hit"><input type="checkbox" aria-label="Choose none" title="Choose none (Esc)" checked ref={element => { if (element) element.indeterminate = !all }} onClick={event => {
        event.preventDefault()
        clearSelection()
      }} /></label>
      <h1 class="hidden">{title.value}</h1>
      <strong role="status">{all ? `All ${count(total)}` : count(number)} chosen</strong>
      {!all && total > number && <button type="button" class="linklike small" onClick={selectAll}>All {count(total)}</button>}
      <span class="space" />
      <Button tone="quiet" small square icon="cross" title="Choose none (Esc)" onPress={clearSelection}>Choose none</Button>
    </div>
    <div class="tools">
      <Button tone="quiet" small square icon="archive" title="Archive (a)" onPress={act(actions.archive)}>Archive</Button>
      <Button tone="quiet" small square icon="spam" title="Junk (q)" onPress={act(actions.junk)}>Junk</Button>
      <Button tone="quiet" small square icon="trash" title="To the trash (d)" onPress={act(actions.trash)}>To the trash</Button>
      <Button tone="quiet" small square icon="folder" title="Move to… (w)" onPress={event => moveMenu(event.currentTarget as Element, to => act(of => actions.move(of, to))())}>Move to…</Button>
      <Button tone="quiet" small square icon="tag" title="Labels… (y)" onPress={event => labelMenu(event.currentTarget as Element, () => target())}>Labels…</Button>
      <Button tone="quiet" small square icon="check" title="Mark as read (m)" onPress={act(of => actions.markRead(of), true)}>Mark as read</Button>
      <Button tone="quiet" small square icon="more" title="More" onPress={event => popup(event.currentTarget as Element, 'More', moreItems(act, target()))}>More</Button>
    </div>
  </header>
}

type Act = (run: (of: actions.Target) => unknown, whole?: boolean) => () => unknown

/** Whether some of the messages are like that, as far as is known here. */
function some(of: actions.Target, like: (one: EmailHead) => boolean): boolean {
  return 'query' in of || of.some(id => {
    const one = email(id).peek()
    return one === undefined || like(one)
  })
}

/** What else can be done with chosen messages; only what would change something. */
export function moreItems(act: Act, of: actions.Target): (PopupItem | null)[] {
  return [
    { text: 'Mark as unread', icon: 'unread', keys: 'M', run: act(of => actions.markUnread(of)) },
    ...some(of, one => !one.keywords['$flagged']) ? [{ text: 'Flag', icon: 'flag' as const, run: act(of => actions.flag(of, true)) }] : [],
    ...some(of, one => one.keywords['$flagged'] === true) ? [{ text: 'Unflag', icon: 'flag' as const, run: act(of => actions.flag(of, false)) }] : [],
    { text: 'Not junk', icon: 'check', keys: 'Q', run: act(of => actions.notJunk(of, preferences.peek().rejects)) },
    ...some(of, one => !one.muted) ? [{ text: 'Mute', icon: 'mute' as const, keys: 'X', run: act(of => actions.mute(of, true)) }] : [],
    ...some(of, one => one.muted) ? [{ text: 'Unmute', icon: 'mute' as const, run: act(of => actions.mute(of, false)) }] : [],
    { text: 'Export…', icon: 'download', run: act(of => { if (!('query' in of)) exportMail({ emailIds: of }) }) },
    null,
    { text: 'Delete for good…', icon: 'cross', keys: 'D', danger: true, run: act(of => actions.remove(of)) },
  ]
}

/** A menu of labels: those that all of the messages have are ticked; a new one is made by typing it. */
export function labelMenu(at: Element | { x: number, y: number }, of: () => actions.Target): void {
  const now = of(), ids = 'query' in now ? [] : now
  const has = (name: string) => ids.length > 0 && ids.every(id => email(id).peek()?.keywords[name])
  popup(at, 'Label', labels.value.map(name => ({ text: name, checked: has(name), run: () => actions.label(of(), name, !has(name)) })), {
    search: true,
    make: text => {
      const wrong = actions.labelProblem(text)
      return { text: wrong ?? `New label “${text.toLowerCase()}”`, icon: wrong ? 'warning' : 'plus', run: () => wrong ? undefined : actions.label(of(), text, true) }
    },
  })
}

// A row.

const FLAGS: readonly (readonly [keyword: string, icon: IconName, text: string])[] = [
  ['$phishing', 'warning', 'Phishing'], ['$junk', 'spam', 'Junk'], ['$answered', 'reply', 'Answered'], ['$forwarded', 'forward', 'Forwarded'], ['$flagged', 'flag', 'Flagged'],
]

/** What is to be seen of a message beside its text. */
function flagsOf(head: EmailHead): (readonly [IconName, string])[] {
  const found: (readonly [IconName, string])[] = FLAGS.filter(([keyword]) => head.keywords[keyword]).map(([, icon, text]) => [icon, text])
  if (head.keywords['$deleted']) found.push(['trash', 'Marked as deleted'])
  if (head.muted) found.push(['mute', 'Muted'])
  if (head.hasAttachment) found.push(['attach', 'Has attachments'])
  return found
}

function RowView({ id, row, index, of, isWide }: { id: Id, row: Row, index: number, of: number, isWide: boolean }) {
  const head = email(id).value
  const members = useComputed(() => rows.value.at(rows.value.indexOf(id))?.hidden.map(one => email(one).value).filter(one => one !== undefined) ?? []).value
  const marks = listing.value?.snippet(id).value
  const long = useRef(false)
  if (!head) return <Waiting />
  const isChosen = isSelected(id), isActive = active.value === id, isOpen = place.value.email === id || (place.value.email !== null && row.hidden.includes(place.value.email))
  const isUnread = !head.keywords['$seen'] || members.some(one => !one.keywords['$seen'])
  const isDim = row.isMember && mailbox.value !== null && !head.mailboxIds[mailbox.value.id]
  const people = peopleOf(head, members), own = flagsOf(head)
  const mild = members.flatMap(flagsOf).filter(([icon], at, all) => !own.some(([other]) => other === icon) && all.findIndex(([other]) => other === icon) === at)
  const judged = head.keywords['$junk'] || head.keywords['$notjunk'] || head.keywords['$draft'] || mailbox.value?.role === 'sent'
  const time = new Date(head.receivedAt), names = [...new Set([head, ...members].flatMap(one => Object.keys(one.keywords).filter(isLabel)))].sort()
  const foreign = mailbox.value === null || isDim ? Object.keys(head.mailboxIds).map(one => boxes.value.get(one)).filter(one => one !== undefined) : []
  const subject = head.subject?.trim() || '(no subject)'
  const open = (event: MouseEvent) => {
    document.getElementById('messages')?.focus({ preventScroll: true })
    if (long.current) {
      long.current = false
      return
    }
    if (event.shiftKey) extend(id)
    else if (event.ctrlKey || event.metaKey) toggle(id)
    else {
      clearSelection()
      performance.mark('webmail:press')
      activate(id)
      if (head.keywords['$draft'] && mailbox.value?.role === 'drafts') openCompose({ kind: 'draft', emailId: id })
      else toEmail(id)
      return
    }
    activate(id)
  }
  // What can be pressed within a row is for the pointer alone: an option of a list has nothing in it that is operated by
  // itself (ARIA 1.2 §5.2.8). By keys and screen readers all of it is done to the row.
  return <div id={`row-${id}`} role="option" aria-selected={isChosen || (isActive && selected.value.size === 0 && !isAllSelected.value)} aria-setsize={of} aria-posinset={index + 1}
    class={`mailrow${isUnread ? ' unread' : ''}${isChosen ? ' chosen' : ''}${isActive ? ' active' : ''}${isOpen ? ' open' : ''}${isDim ? ' dim' : ''}${row.isMember ? ' member' : ''}`}
    draggable onClick={open} onContextMenu={event => {
      event.preventDefault()
      // A long touch chooses.
      if ((event as unknown as PointerEvent).pointerType === 'touch') {
        long.current = true
        toggle(id)
        return
      }
      if (!isSelected(id)) clearSelection()
      activate(id)
      rowMenu({ x: event.clientX, y: event.clientY })
    }} onDragStart={event => {
      const what = isSelected(id) ? target() : targetOf(id)
      dragged.value = { kind: 'emails', target: what }
      event.dataTransfer?.setData(DRAG_TYPE, 'emails')
      dragImage(event, 'query' in what ? what.total : what.length)
    }} onDragEnd={() => { dragged.value = null }}>
    <div class="lead" ref={element => { if (element) element.style.marginInlineStart = row.depth > 0 ? `${row.depth * 0.75}rem` : '' }}>
      {row.depth > 0 && <span class="link" aria-hidden="true" title={row.link === 'reply' ? 'An answer' : row.link === 'missing' ? 'What it answers is not here' : 'The same subject'}>{row.link === 'reply' ? '↳' : row.link === 'missing' ? '↯' : '≈'}</span>}
      <span class="choose" aria-hidden="true" onClick={event => {
        event.stopPropagation()
        document.getElementById('messages')?.focus({ preventScroll: true })
        if (event.shiftKey) extend(id)
        else toggle(id)
        activate(id)
      }}><Avatar person={people.first} /><span class="box"><Icon name="check" size={14} /></span></span>
    </div>
    <div class="text">
      <div class="who">
        {isUnread && <span class="hidden">Unread</span>}
        <span class="people" title={people.title} dir="auto"><Plain text={people.text} /></span>
        {members.length > 0 && <FoldButton id={id} number={members.length + 1} isOpen={false} />}
        {row.isFirst && <FoldButton id={id} number={0} isOpen />}
        {members.length > 0 && <span class="hidden">{plural(members.length + 1, 'message')}</span>}
      </div>
      <div class="what">
        {head.keywords['$draft'] && <Badge state="bad">Draft</Badge>}
        {foreign.map(box => <Badge key={box.id}>{nameOf(box)}</Badge>)}
        {names.map(name => <Badge key={name} state="accent">{name}</Badge>)}
        <span class="subject" dir="auto">{marks?.subject ? <Marks html={marks.subject} /> : <Plain text={subject} />}</span>
        {isWide && <span class="preview" aria-hidden="true" dir="auto">{marks?.preview ? <Marks html={marks.preview} /> : <Plain text={head.preview} />}</span>}
      </div>
      {!isWide && <div class="preview" aria-hidden="true" dir="auto">{marks?.preview ? <Marks html={marks.preview} /> : <Plain text={head.preview} />}</div>}
    </div>
    <div class="end">
      <span class="flags">
        {!judged && isUnread === false && <span class="flag faint" aria-hidden="true" title="Neither marked as junk nor as not junk">?</span>}
        {mild.map(([icon, text]) => <span key={icon} class={`flag mild ${icon}`} title={`${text}: another message of the thread`} aria-hidden="true"><Icon name={icon} size={14} /></span>)}
        {own.map(([icon, text]) => <span key={icon} class={`flag ${icon === 'flag' ? 'flag-on' : icon}`} title={text}><Icon name={icon} size={14} /><span class="hidden">{text}</span></span>)}
      </span>
      {isWide && <span class="size number" aria-hidden="true">{size(head.size)}</span>}
      <time dateTime={head.receivedAt} title={`${fullTime(time)}, ${size(head.size)}`}>{shortTime(time)}</time>
      <span class="hoverbar" aria-hidden="true">
        <Quick icon="archive" text="Archive" run={() => actions.archive(targetOf(id))} />
        <Quick icon="trash" text="To the trash" run={() => actions.trash(targetOf(id))} />
        <Quick icon={isUnread ? 'check' : 'unread'} text={isUnread ? 'Mark as read' : 'Mark as unread'} run={() => isUnread ? actions.markRead(targetOf(id, true)) : actions.markUnread([id])} />
        <Quick icon="flag" text={head.keywords['$flagged'] ? 'Unflag' : 'Flag'} run={() => actions.flag([id], !head.keywords['$flagged'])} />
      </span>
    </div>
  </div>
}

function Quick({ icon, text, run }: { icon: IconName, text: string, run: () => unknown }) {
  return <span class="quick" title={text} onClick={event => {
    event.stopPropagation()
    run()
  }}><Icon name={icon} size={16} /></span>
}

function FoldButton({ id, number, isOpen }: { id: Id, number: number, isOpen: boolean }) {
  return <span class="threadcount" aria-hidden="true" title={isOpen ? 'Fold the thread (←)' : `${number} messages: unfold the thread (→)`} onClick={event => {
    event.stopPropagation()
    fold(id, !isUnfolded(id))
  }}>{number > 0 && number}<Icon name={isOpen ? 'up' : 'down'} size={12} /></span>
}

function Marks({ html }: { html: string }) {
  return <>{marked(html).map(({ text, isFound }, index) => isFound ? <mark key={index}>{text}</mark> : text)}</>
}

function peopleOf(head: EmailHead, members: readonly EmailHead[]) {
  const sent = showsRecipients.value
  const of = (one: EmailHead) => sent || one.keywords['$draft'] ? one.to ?? [] : one.from ?? []
  const all = [...members, head].flatMap(of), first = of(head)[0]
  const known = new Set<string>(), apart = all.filter(({ email: address }) => {
    const is = known.has(address.toLowerCase())
    known.add(address.toLowerCase())
    return !is
  })
  const text = apart.length === 0 ? (sent || head.keywords['$draft'] ? '(no recipients)' : '(no sender)')
    : apart.length === 1 && apart[0] ? nameOfPerson(apart[0])
    : apart.length <= 3 ? apart.map(shortName).join(', ') : `${apart[0] ? shortName(apart[0]) : ''} … ${apart.slice(-2).map(shortName).join(', ')}`
  return { text, first, title: apart.slice(0, 20).map(full).join('\n') }
}

function dragImage(event: DragEvent, number: number): void {
  const element = document.createElement('div')
  element.className = 'dragimage'
  element.textContent = plural(number, 'message')
  document.body.append(element)
  event.dataTransfer?.setDragImage(element, -12, -8)
  if (event.dataTransfer) event.dataTransfer.effectAllowed = 'move'
  setTimeout(() => element.remove())
}

/** The menu of what is chosen, or of the active row. */
export function rowMenu(at: Element | { x: number, y: number }): void {
  const act: Act = (run, whole = false) => () => run(target(whole))
  const one = active.peek()
  popup(at, 'Message', [
    ...one !== null && selected.peek().size === 0 ? [
      { text: 'Reply', icon: 'reply' as const, keys: 'r', run: () => openCompose({ kind: 'reply', emailId: one }) },
      { text: 'Reply to all', icon: 'replyall' as const, keys: 'R', run: () => openCompose({ kind: 'replyAll', emailId: one }) },
      { text: 'Forward', icon: 'forward' as const, keys: 'f', run: () => openCompose({ kind: 'forward', emailId: one }) },
      null,
    ] : [],
    { text: 'Archive', icon: 'archive', keys: 'a', run: act(actions.archive) },
    { text: 'Junk', icon: 'spam', keys: 'q', run: act(actions.junk) },
    { text: 'To the trash', icon: 'trash', keys: 'd', run: act(actions.trash) },
    { text: 'Move to…', icon: 'folder', run: () => moveMenu(at, to => actions.move(target(), to)) },
    { text: 'Labels…', icon: 'tag', run: () => labelMenu(at, () => target()) },
    ...some(target(true), one => !one.keywords['$seen']) ? [{ text: 'Mark as read', icon: 'check' as const, keys: 'm', run: act(of => actions.markRead(of), true) }] : [],
    ...moreItems(act, target()),
  ])
}
