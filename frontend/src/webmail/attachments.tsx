// What is attached to a message: a list, and a viewer in which one goes from one to the next.

import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { EmailBodyPart, EmailFull, Id } from '../api/jmap/types'
import { Button, Icon, LinkButton, type IconName } from '../kit'
import { plural, size } from '../lib/format'
import { downloadUrl, viewTextUrl, viewUrl, zipUrl } from './documents'
import { Plain } from './names'
import { downloadKept, keptUrl, useKept } from './opened'

const IMAGES = /^image\/(png|jpe?g|gif|webp|avif|bmp|svg\+xml)$/i, TEXTS = /^(text\/|message\/|application\/(json|xml|pgp-signature|x-sh|javascript))/i

type Kind = 'image' | 'pdf' | 'text' | 'other'

export function kindOf({ type, name }: EmailBodyPart): Kind {
  if (IMAGES.test(type)) return 'image'
  if (type === 'application/pdf' || (type === 'application/octet-stream' && /\.pdf$/i.test(name ?? ''))) return 'pdf'
  return TEXTS.test(type) ? 'text' : 'other'
}

const ICONS: Record<Kind, IconName> = { image: 'image', pdf: 'file', text: 'list', other: 'attach' }

/** Pictures that belong into the text, and are shown behind it where there is only text. */
export function inlineOf(one: EmailFull): EmailBodyPart[] {
  return one.attachments.filter(part => part.partId !== null && kindOf(part) === 'image' && (part.disposition === 'inline' || part.cid !== null))
}

/** Those that are listed: a picture that the HTML shows is none. */
export function listedOf(one: EmailFull): EmailBodyPart[] {
  const html = one.htmlBody.map(part => part.partId === null ? '' : one.bodyValues[part.partId]?.value ?? '').join('')
  return one.attachments.filter(part => !(part.cid !== null && kindOf(part) === 'image' && html.includes(`cid:${part.cid}`)))
}

export function nameOfPart({ name, type }: EmailBodyPart): string {
  return name?.trim() || (type === 'message/rfc822' ? 'message.eml' : `no name (${type})`)
}

interface Viewed { email: EmailFull, parts: readonly EmailBodyPart[], at: number }
const viewed = signal<Viewed | null>(null)

export function viewAttachments(one: EmailFull, at = 0): boolean {
  const parts = listedOf(one)
  if (parts.length === 0) return false
  viewed.value = { email: one, parts, at }
  return true
}

export function Attachments({ email: one }: { email: EmailFull }) {
  const parts = listedOf(one), kept = useKept(one.id)
  if (parts.length === 0) return null
  const whole = parts.reduce((sum, part) => sum + part.size, 0)
  return <section class="attachments" aria-label="Attachments">
    <header><h3>{plural(parts.length, 'attachment')}</h3><span class="muted small">{size(whole)}</span>
      <Button tone="quiet" small icon="eye" title="View them (v)" onPress={() => { viewAttachments(one) }}>View</Button>
      {parts.length > 1 && <LinkButton tone="quiet" small icon="download" href={zipUrl(one.id)} download="">All as zip</LinkButton>}
    </header>
    <ul>{parts.map((part, index) => {
      const kind = kindOf(part), name = nameOfPart(part)
      return <li key={part.partId ?? index}>
        <button type="button" class="file" title={`View ${name}`} onClick={() => { viewAttachments(one, index) }}>
          {kind === 'image' && part.partId !== null && part.size < 5_000_000 ? <img src={kept.has(part.partId) ? keptUrl(one.id, part.partId) : viewUrl(one.id, part.partId)} alt="" loading="lazy" /> : <span class="sign"><Icon name={ICONS[kind]} size={20} /></span>}
          <span class="hidden">View </span><span class="name"><Plain text={name} /></span><span class="muted small">{size(part.size)}</span>
        </button>
        {part.partId !== null && <Download small square id={one.id} part={part} kept={kept} title={`Download ${name}`}>{`Download ${name}`}</Download>}
      </li>
    })}</ul>
  </section>
}

/** From the server; without network from what is kept. */
function Download({ id, part: { partId, name }, kept, children, ...look }: {
  id: Id, part: EmailBodyPart, kept: ReadonlySet<string>, title: string, small?: boolean, square?: boolean, children: string
}) {
  const part = partId ?? ''
  return kept.has(part) ? <Button tone="quiet" icon="download" {...look} onPress={() => downloadKept(id, part, name ?? '')}>{children}</Button>
    : <LinkButton tone="quiet" icon="download" href={downloadUrl(id, part)} download={name ?? ''} {...look}>{children}</LinkButton>
}

/** Over everything; rendered once. */
export function Viewer() {
  const now = viewed.value
  return now && <Viewing now={now} />
}

function Viewing({ now: { email: one, parts, at } }: { now: Viewed }) {
  const dialog = useRef<HTMLDialogElement>(null), [isWhole, setWhole] = useState(false), part = parts[at]
  useLayoutEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      dialog.current?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true })
    }
  }, [])
  useEffect(() => setWhole(false), [at])
  const close = () => { viewed.value = null }
  const go = (to: number) => { viewed.value = { email: one, parts, at: (to + parts.length) % parts.length } }
  const pressed = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const run = ({
      ArrowLeft: () => go(at - 1), h: () => go(at - 1), ArrowRight: () => go(at + 1), l: () => go(at + 1), 0: () => go(0), $: () => go(parts.length - 1), v: close,
      d: () => dialog.current?.querySelector<HTMLElement>('[title="Download (d)"]')?.click(),
    } as Record<string, () => void>)[event.key]
    event.stopPropagation()
    if (!run) return
    event.preventDefault()
    run()
  }
  const kept = useKept(one.id)
  if (!part) return null
  const name = nameOfPart(part), kind = part.partId === null ? 'other' : kindOf(part), id = part.partId ?? ''
  return <dialog ref={dialog} class="viewer" aria-label={`Attachment ${name}`} onKeyDown={pressed} onCancel={event => {
    event.preventDefault()
    close()
  }}>
    <header role="none">
      <strong class="name"><Plain text={name} /></strong><span class="muted small nowrap">{size(part.size)}{parts.length > 1 && `, ${at + 1} of ${parts.length}`}</span>
      <span class="space" />
      {parts.length > 1 && <>
        <Button tone="quiet" small square icon="left" title="The one before (←)" onPress={() => go(at - 1)}>The one before</Button>
        <Button tone="quiet" small square icon="right" title="The next (→)" onPress={() => go(at + 1)}>The next</Button>
      </>}
      {part.partId !== null && <Download small id={one.id} part={part} kept={kept} title="Download (d)">Download</Download>}
      <Button tone="quiet" small square icon="cross" title="Close (Esc)" onPress={close}>Close</Button>
    </header>
    <div class={`stage ${kind}${isWhole ? ' whole' : ''}`} onClick={event => { if (event.target === event.currentTarget) close() }}>
      {kind === 'image' ? <img key={id} src={kept.has(id) ? keptUrl(one.id, id) : viewUrl(one.id, id)} alt={name} title={isWhole ? 'As large as the window' : 'As large as it is'} onClick={() => setWhole(!isWhole)} />
        : kind === 'pdf' ? <iframe key={id} src={kept.has(id) ? keptUrl(one.id, id) : viewUrl(one.id, id)} title={name} />
        : kind === 'text' && kept.has(id) ? <iframe key={`kept ${id}`} src={keptUrl(one.id, id)} title={name} />
        : kind === 'text' ? <iframe key={id} src={viewTextUrl(one.id, id)} title={name} sandbox="" />
        : <div class="idle"><Icon name="attach" size={40} /><p>{part.type} cannot be shown here.</p></div>}
    </div>
  </dialog>
}
