// The mailboxes: where one is, what is new in each, and where messages can be dropped.

import { computed, signal } from '@preact/signals'
import { call, orThrow } from '../api/jmap/client'
import type { Id, Mailbox, Patch, Role } from '../api/jmap/types'
import { attempt, Actions, Button, closePopup, confirm, Dialog, Icon, popup, toast, type IconName, type PopupItem } from '../kit'
import { count, plural } from '../lib/format'
import { recall, remember } from '../lib/storage'
import { useEffect, useRef, useState } from 'preact/hooks'
import { move, type Target } from './actions'
import { lateCount, openScheduled, scheduledCount } from './compose'
import { exportMail } from './documents'
import { byRole, boxes, email, mailboxes, nameOf, preferences, sync } from './model'
import { place, placeHref, toMailbox } from './place'
import { drawer } from './frame'
import { mailbox, refine } from './view'

// Their order.

const FIRST: readonly (Role | 'introbox')[] = ['inbox', 'introbox', 'drafts', 'sent', 'archive', 'trash', 'junk']

function rank(box: Mailbox, introbox: Id | null): number {
  const at = FIRST.indexOf(box.id === introbox ? 'introbox' : box.role ?? 'all')
  return at < 0 ? FIRST.length : at
}

export interface Node { box: Mailbox, depth: number, hasChildren: boolean }

/** All of them, each below the one it belongs to: those with a role first, the others by name. */
export function ordered(all: readonly Mailbox[], introbox: Id | null): Node[] {
  const known = new Set(all.map(one => one.id)), children = new Map<Id | null, Mailbox[]>()
  for (const box of all) {
    const above = box.parentId !== null && known.has(box.parentId) ? box.parentId : null
    children.set(above, [...children.get(above) ?? [], box])
  }
  const found: Node[] = [], seen = new Set<Id>()
  const walk = (above: Id | null, depth: number) => {
    const here = [...children.get(above) ?? []].sort((one, other) =>
      rank(one, introbox) - rank(other, introbox) || one.sortOrder - other.sortOrder || one.name.localeCompare(other.name, undefined, { numeric: true }))
    for (const box of here) {
      if (seen.has(box.id)) continue
      seen.add(box.id)
      found.push({ box, depth, hasChildren: children.has(box.id) })
      walk(box.id, depth + 1)
    }
  }
  walk(null, 0)
  return found
}

export const tree = computed(() => ordered(mailboxes.value, preferences.value.introbox))

const folded = signal<ReadonlySet<Id>>(new Set((recall('webmail.folded') ?? '').split(' ').filter(one => one !== '')))
folded.subscribe(ids => remember('webmail.folded', ids.size > 0 ? [...ids].join(' ') : null))

export function foldMailbox(id: Id, on: boolean): void {
  const now = new Set(folded.peek())
  if (on) now.add(id)
  else now.delete(id)
  folded.value = now
}

/** Those that are not below a folded one. */
const shown = computed(() => {
  let hiddenBelow = Infinity
  return tree.value.filter(({ box, depth, hasChildren }) => {
    if (depth > hiddenBelow) return false
    hiddenBelow = hasChildren && folded.value.has(box.id) ? depth : Infinity
    return true
  })
})

const ICONS: Partial<Record<Role, IconName>> = { inbox: 'inbox', drafts: 'edit', sent: 'send', archive: 'archive', trash: 'trash', junk: 'spam' }

export function mailboxIcon(box: Mailbox): IconName {
  return box.id === preferences.value.introbox ? 'door' : ICONS[box.role ?? 'all'] ?? 'folder'
}

/** Whether a count says how many are there, not how many are new: what is written or junk is never news. */
function counts(box: Mailbox): { shown: number, isNews: boolean } {
  if (box.role === 'drafts') return { shown: box.totalEmails, isNews: false }
  return { shown: box.unreadEmails, isNews: box.role !== 'trash' && box.role !== 'junk' && box.role !== 'sent' && box.id !== preferences.value.rejects }
}

// Dragging: what is in flight is kept here, since other pages are not to read it of the drag itself.

export type Dragged = { kind: 'emails', target: Target } | { kind: 'mailbox', id: Id }
export const dragged = signal<Dragged | null>(null)
export const DRAG_TYPE = 'application/x-moxpy'

function mayDrop(on: Mailbox): boolean {
  const what = dragged.value
  if (!what) return false
  if (what.kind === 'emails') return 'query' in what.target ? mailbox.value?.id !== on.id : what.target.some(id => email(id).peek()?.mailboxIds[on.id] === undefined)
  for (let at: Mailbox | undefined = on; at; at = at.parentId === null ? undefined : boxes.value.get(at.parentId)) if (at.id === what.id) return false
  return boxes.value.get(what.id)?.parentId !== on.id
}

function drop(on: Mailbox): void {
  const what = dragged.peek()
  dragged.value = null
  if (!what) return
  if (what.kind === 'emails') {
    const sent = byRole('sent'), { target } = what
    // Of several, copies of what one sent oneself stay where they are.
    const isOwn = (id: Id) => sent !== undefined && email(id).peek()?.mailboxIds[sent.id] === true
    void move('query' in target || target.length === 1 || mailbox.peek()?.role === 'sent' ? target : target.filter(id => !isOwn(id)), on)
  } else void change(what.id, { parentId: on.id }, `Moved below ${nameOf(on)}`)
}

export function MailboxList() {
  // One's own stand apart from those that everybody has.
  const { introbox } = preferences.value, firstFree = shown.value.find(({ box, depth }) => depth === 0 && rank(box, introbox) === FIRST.length)
  return <nav class="mailboxes" aria-label="Mailboxes">
    <ul>
      {shown.value.length === 0 && Array.from({ length: 6 }, (_, index) => <li key={index} aria-hidden="true" class="waiting"><span /></li>)}
      {shown.value.map(node => <Entry key={node.box.id} node={node} isFirst={node === firstFree} />)}
      {scheduledCount.value > 0 && <li><a href="#" onClick={event => {
        event.preventDefault()
        drawer.value = false
        openScheduled()
      }}><span class="fold" /><Icon name="clock" size={17} /><span class="name">To be sent later</span><span class="count mild">{count(scheduledCount.value)}</span></a></li>}
      {lateCount.value > 0 && <li><a href="#" onClick={event => {
        event.preventDefault()
        drawer.value = false
        openScheduled()
      }}><span class="fold" /><Icon name="warning" size={17} /><span class="name">Not yet delivered</span><span class="count mild">{count(lateCount.value)}</span></a></li>}
    </ul>
    <Button tone="quiet" small icon="plus" onPress={() => { naming.value = { kind: 'new', above: null } }}>New mailbox</Button>
    {dragged.value?.kind === 'mailbox' && boxes.value.get(dragged.value.id)?.parentId !== null && <TopDrop />}
    {naming.value && <Naming key={naming.value} what={naming.value} />}
  </nav>
}

/** Where a mailbox is dropped that shall no longer be below another. */
function TopDrop() {
  const [over, setOver] = useState(false)
  return <div class={`topdrop${over ? ' over' : ''}`} onDragOver={event => {
    event.preventDefault()
    setOver(true)
  }} onDragLeave={() => setOver(false)} onDrop={event => {
    event.preventDefault()
    const what = dragged.peek()
    dragged.value = null
    if (what?.kind === 'mailbox') void change(what.id, { parentId: null }, 'Moved to the top')
  }}>Drop here to move it to the top</div>
}

function Entry({ node: { box, depth, hasChildren }, isFirst }: { node: Node, isFirst: boolean }) {
  const [over, setOver] = useState(false), wait = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const isHere = place.value.search === null && mailbox.value?.id === box.id, isFolded = hasChildren && folded.value.has(box.id)
  const name = nameOf(box), { shown: number, isNews } = counts(box)
  // What is folded in tells of what is new in it.
  const below = isFolded ? mailboxes.value.filter(one => nameOf(one).startsWith(`${name}/`)).reduce((sum, one) => sum + (counts(one).isNews ? one.unreadEmails : 0), 0) : 0
  const leave = () => {
    setOver(false)
    clearTimeout(wait.current)
  }
  const menu = (at: Element | { x: number, y: number }) => popup(at, `Mailbox ${name}`, mailboxMenu(box))
  return <li class={`${isFirst ? 'apart ' : ''}${over ? 'over' : ''}${dragged.value?.kind === 'emails' && !mayDrop(box) ? ' nodrop' : ''}`}
    onDragOver={event => {
      if (!mayDrop(box)) return
      event.preventDefault()
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'move'
      if (!over) {
        setOver(true)
        if (isFolded) wait.current = setTimeout(() => foldMailbox(box.id, false), 800)
      }
    }} onDragLeave={leave} onDrop={event => {
      event.preventDefault()
      leave()
      drop(box)
    }} onContextMenu={event => {
      event.preventDefault()
      menu({ x: event.clientX, y: event.clientY })
    }}>
    <a href={placeHref({ mailbox: name, search: null, email: null })} aria-current={isHere ? 'page' : undefined} class={isNews && number > 0 ? 'news' : ''}
      title={`${name}: ${plural(box.totalEmails, 'message')}, ${count(box.unreadEmails)} unread`} ref={element => { if (element) element.style.paddingInlineStart = `${0.375 + depth}rem` }}
      draggable={box.role !== 'inbox'} onDragStart={event => {
        dragged.value = { kind: 'mailbox', id: box.id }
        event.dataTransfer?.setData(DRAG_TYPE, 'mailbox')
      }} onDragEnd={() => { dragged.value = null }} onClick={event => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return
        event.preventDefault()
        drawer.value = false
        if (isHere) refine.value = ''
        toMailbox(name)
      }} onKeyDown={event => {
        if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
          event.preventDefault()
          if (hasChildren) foldMailbox(box.id, event.key === 'ArrowLeft')
        } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
          event.preventDefault()
          const all = [...document.querySelectorAll<HTMLElement>('.mailboxes li > a')]
          all[all.indexOf(event.currentTarget) + (event.key === 'ArrowDown' ? 1 : -1)]?.focus()
        } else if (event.key === 'b') {
          event.preventDefault()
          menu(event.currentTarget)
        }
      }}>
      {hasChildren
        ? <button type="button" class="fold" tabIndex={-1} aria-label={`${isFolded ? 'Unfold' : 'Fold'} ${name}`} aria-expanded={!isFolded} onClick={event => {
          event.preventDefault()
          event.stopPropagation()
          foldMailbox(box.id, !isFolded)
        }}><Icon name={isFolded ? 'right' : 'down'} size={14} /></button>
        : <span class="fold" />}
      <Icon name={mailboxIcon(box)} size={17} />
      <span class="name">{box.role === 'inbox' ? 'Inbox' : box.name}</span>
      {number > 0 && <span class={`count${isNews ? '' : ' mild'}`}><span class="hidden">, </span>{count(number)}<span class="hidden">{box.role === 'drafts' ? ' drafts' : ' unread'}</span></span>}
      {number === 0 && below > 0 && <span class="count mild" title="Unread in mailboxes below">{count(below)}</span>}
    </a>
    <Button tone="quiet" small square icon="more" onPress={event => menu(event.currentTarget as Element)}>{`Menu of ${name}`}</Button>
  </li>
}

// What can be done with a mailbox.

async function change(id: Id, patch: Patch, done: string): Promise<boolean> {
  return attempt(async () => {
    orThrow(await call('Mailbox/set', { update: { [id]: patch } }))
    await sync()
  }, done)
}

const ROLES: readonly (readonly [Role, string])[] = [['archive', 'Archive'], ['drafts', 'Drafts'], ['junk', 'Junk'], ['sent', 'Sent'], ['trash', 'Trash']]

function mailboxMenu(box: Mailbox): (PopupItem | null)[] {
  const hasChildren = mailboxes.value.some(one => one.parentId === box.id), isInbox = box.role === 'inbox', trash = byRole('trash'), name = nameOf(box)
  const markRead = (recursive: boolean) => attempt(async () => {
    const { count: number } = await call('Mailbox/markRead', { ids: [box.id], recursive })
    toast(number === 0 ? 'All was read already' : `${plural(number, 'message')} marked as read`)
    await sync()
  })
  return [
    { text: 'Mark all as read', icon: 'check', run: () => markRead(false) },
    ...hasChildren ? [{ text: 'Mark all as read, with those below', icon: 'check' as const, run: () => markRead(true) }] : [],
    null,
    { text: 'New mailbox below…', icon: 'plus', run: () => { naming.value = { kind: 'new', above: box } } },
    ...isInbox ? [] : [{ text: 'Rename…', icon: 'edit' as const, run: () => { naming.value = { kind: 'rename', box } } }],
    ...isInbox ? [] : [{ text: 'Role…', icon: 'tag' as const, run: () => {
      popup(entryOf(box), `Role of ${name}`, [
        { text: 'None', checked: box.role === null, run: () => setRole(box, null) },
        ...ROLES.map(([role, text]) => ({ text, checked: box.role === role, run: () => setRole(box, role) })),
      ])
    } }],
    ...isInbox ? [] : [{ text: 'Move below…', icon: 'folder' as const, run: () => moveBelow(box) }],
    { text: 'Export…', icon: 'download', run: () => exportMail({ mailbox: name, hasChildren }) },
    null,
    { text: 'Remove all messages…', icon: 'cross', danger: true, run: async () => {
      if (!await confirm({
        title: `Remove all messages of ${name}?`, consequences: [`${plural(box.totalEmails, 'message')} will be removed for good.`, 'They are not put into the trash.'],
        action: 'Remove all', ...(box.totalEmails > 100 ? { type: box.name } : {}),
      })) return
      await attempt(async () => {
        const { count: number } = await call('Mailbox/empty', { id: box.id })
        toast(`${plural(number, 'message')} removed`)
        await sync()
      })
    } },
    ...isInbox || !trash || trash.id === box.id || box.parentId === trash.id ? [] : [{ text: 'Move to the trash', icon: 'trash' as const, danger: true, run: async () => {
      const before = box.parentId
      if (await change(box.id, { parentId: trash.id }, '')) toast(`${name} was moved to the trash`, 'good', { action: { text: 'Undo', run: () => change(box.id, { parentId: before }, '') } })
    } }],
    ...isInbox ? [] : [{ text: 'Delete…', icon: 'trash' as const, danger: true, run: async () => {
      if (hasChildren) {
        toast('There are mailboxes below it: delete those first.', 'warn')
        return
      }
      if (!await confirm({
        title: `Delete ${name}?`, consequences: box.totalEmails > 0 ? [`${plural(box.totalEmails, 'message')} in it will be removed for good.`] : ['It is empty.'], action: 'Delete mailbox',
        ...(box.totalEmails > 100 ? { type: box.name } : {}),
      })) return
      await attempt(async () => {
        orThrow(await call('Mailbox/set', { destroy: [box.id], onDestroyRemoveEmails: true }))
        if (mailbox.peek()?.id === box.id) toMailbox('')
        await sync()
      }, `${name} was deleted`)
    } }],
  ]
}

const entryOf = (box: Mailbox) =>
  document.querySelector(`.mailboxes a[href="${CSS.escape(placeHref({ mailbox: nameOf(box), search: null, email: null }))}"]`) ?? document.body

/** What dragging does, for keys. */
function moveBelow(box: Mailbox): void {
  const name = nameOf(box), others = tree.value.filter(({ box: one }) => one.id !== box.id && one.id !== box.parentId && !nameOf(one).startsWith(`${name}/`))
  popup(entryOf(box), `Move ${name} below`, [
    ...box.parentId === null ? [] : [{ text: 'To the top', icon: 'up' as const, run: () => change(box.id, { parentId: null }, 'Moved to the top') }],
    ...others.map(({ box: one, depth }) => ({ text: nameOf(one), icon: mailboxIcon(one), depth, run: () => change(box.id, { parentId: one.id }, `Moved below ${nameOf(one)}`) })),
  ], { search: true })
}

function setRole(box: Mailbox, role: Role | null) {
  const before = role === null ? undefined : byRole(role)
  // A role has one mailbox.
  return attempt(async () => {
    orThrow(await call('Mailbox/set', { update: { ...(before && before.id !== box.id ? { [before.id]: { role: null } } : {}), [box.id]: { role } } }))
    await sync()
  }, role === null ? `${box.name} has no role now` : `${box.name} is for ${role} now`)
}

type NamingOf = { kind: 'new', above: Mailbox | null } | { kind: 'rename', box: Mailbox }
const naming = signal<NamingOf | null>(null)

function Naming({ what }: { what: NamingOf }) {
  const [name, setName] = useState(what.kind === 'rename' ? what.box.name : ''), input = useRef<HTMLInputElement>(null)
  const close = () => { naming.value = null }
  useEffect(() => input.current?.select(), [])
  const save = async (event: Event) => {
    event.preventDefault()
    const wanted = name.trim()
    if (wanted === '') return
    const done = what.kind === 'rename' ? await change(what.box.id, { name: wanted }, `Renamed to ${wanted}`) : await attempt(async () => {
      orThrow(await call('Mailbox/set', { create: { new: { name: wanted, parentId: what.above?.id ?? null, isSubscribed: true } } }))
      if (what.above) foldMailbox(what.above.id, false)
      await sync()
    }, `${wanted} was created`)
    if (!done) return
    if (what.kind === 'rename' && mailbox.peek() === null && place.peek().search === null) toMailbox(nameOf({ ...what.box, name: wanted }))
    close()
  }
  const title = what.kind === 'rename' ? `Rename ${nameOf(what.box)}` : what.above ? `New mailbox below ${nameOf(what.above)}` : 'New mailbox'
  return <Dialog title={title} onClose={close}>
    <form class="stack" onSubmit={save}>
      <div class="field"><label for="mailbox-name">Name</label>
        <input ref={input} id="mailbox-name" class="input" value={name} required maxLength={255} autocomplete="off" onInput={event => setName(event.currentTarget.value)} /></div>
      <Actions><Button onPress={close}>Cancel</Button><Button type="submit" tone="primary">{what.kind === 'rename' ? 'Rename' : 'Create'}</Button></Actions>
    </form>
  </Dialog>
}

/** A menu of mailboxes to move to. */
export function moveMenu(at: Element | { x: number, y: number }, run: (to: Mailbox) => unknown): void {
  closePopup()
  popup(at, 'Move to', tree.value.map(({ box, depth }) => ({ text: nameOf(box), icon: mailboxIcon(box), depth, run: () => run(box) })), { search: true })
}
