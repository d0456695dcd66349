// Web sites: handlers that are asked in order, domains whose requests all lead elsewhere, and who would answer a URL.

import { useState } from 'preact/hooks'
import * as api from '../api/admin'
import {
  Actions, Badge, Button, Card, Checkbox, Dialog, Empty, Field, Fields, Form, ListField, Loaded, Notice, NumberField, Page, Select, Table, TextField, attempt, confirm, useForm,
} from '../kit'
import { byField, explain } from '../lib/problem'
import { useResource, type Resource } from '../lib/resource'

type Kind = 'Static' | 'Redirect' | 'Forward' | 'Internal'

const KINDS = [
  { value: 'Static', label: 'Files of a folder' }, { value: 'Redirect', label: 'A redirect' }, { value: 'Forward', label: 'Another web server (reverse proxy)' },
  { value: 'Internal', label: 'An application of moxpy' },
] as const
const NAMES: Record<Kind, string> = { Static: 'files', Redirect: 'redirect', Forward: 'proxy', Internal: 'application' }
const SERVICES = (['webmail', 'account', 'admin', 'webapi'] as const).map(value => ({ value, label: value }))

export function WebsitesPage() {
  const sites = useResource(() => api.WebserverConfig())
  return <Page title="Web sites" about="What this server shows to browsers beside its own pages.">
    <Loaded of={sites}>{({ Config, Enabled }) => <>
      {!Enabled && <Notice state="warn">No listener serves web sites: set <code>webserver_https.enabled</code> of one in moxpy.toml, and restart.</Notice>}
      <Handlers config={Config} sites={sites} />
      <Redirects config={Config} sites={sites} />
      <Ask handlers={Config.WebHandlers} />
    </>}</Loaded>
  </Page>
}

interface PartProps { config: api.WebserverConfig, sites: Resource<api.Webserver> }

async function save({ config, sites }: PartProps, part: Partial<api.WebserverConfig>): Promise<void> {
  await api.WebserverConfigSave(config, { ...config, ...part })
  await sites.reload()
}

export function kindOf(one: api.WebHandler): Kind {
  return one.Static ? 'Static' : one.Redirect ? 'Redirect' : one.Forward ? 'Forward' : 'Internal'
}

/** What a handler does, in a few words. */
export function about(one: api.WebHandler): string {
  if (one.Static) return one.Static.Root
  if (one.Redirect) return `${one.Redirect.StatusCode} to ${one.Redirect.BaseURL ?? ''}${one.Redirect.ReplacePath}`
  if (one.Forward) return one.Forward.URL
  return one.Internal ? `${one.Internal.Service} at ${one.Internal.BasePath}` : ''
}

function Handlers(part: PartProps) {
  const handlers = part.config.WebHandlers, [edited, setEdited] = useState<{ at: number | null, config: api.WebserverConfig } | null>(null)
  const change = (WebHandlers: api.WebHandler[], success: string) => attempt(() => save(part, { WebHandlers }), success)
  const move = (at: number, by: number) => {
    const next = [...handlers], [one] = next.splice(at, 1)
    if (one) next.splice(at + by, 0, one)
    return change(next, 'Moved')
  }
  const remove = async (at: number) => {
    if (await confirm({ title: 'Remove this handler?', action: 'Remove handler', consequences: ['What it answered is answered by those behind it, or not at all.', 'Files stay where they are.'] })) await change(handlers.filter((_, other) => other !== at), 'Handler removed')
  }
  return <Card title="Handlers" about="Asked in this order. The first whose domain and path match answers." flush
    actions={<Button icon="plus" onPress={() => setEdited({ at: null, config: part.config })}>Add handler</Button>}>
    {handlers.length === 0 ? <Empty icon="globe">No web sites.</Empty> : <Table caption="handlers" rows={handlers.map((one, at) => ({ one, at }))} id={({ at }) => String(at)} onOpen={({ at }) => setEdited({ at, config: part.config })} columns={[
      { id: 'where', title: 'Domain and path', wide: true, cell: ({ one, at }) => <><span class="muted">{at + 1}.</span> {one.Domain} <code class="nowrap">{one.PathRegexp}</code></> },
      { id: 'kind', title: 'Answered by', cell: ({ one }) => <Badge>{NAMES[kindOf(one)]}</Badge>, fit: true },
      { id: 'what', title: 'What', wide: true, cell: ({ one }) => <span class="mono small wrap">{about(one)}</span> },
      { id: 'also', title: 'And', cell: ({ one }) => <span class="row">
        {one.DontRedirectPlainHTTP && <Badge>plain HTTP too</Badge>}{one.Compress && <Badge>compressed</Badge>}{one.Static?.ContinueNotFound && <Badge>goes on if not found</Badge>}{one.Static?.ListFiles && <Badge>lists files</Badge>}
      </span>, blank: ({ one }) => !one.DontRedirectPlainHTTP && !one.Compress && !one.Static?.ContinueNotFound && !one.Static?.ListFiles },
      { id: 'name', title: 'Name in logs', cell: ({ one, at }) => one.LogName || <span class="muted">{at}</span>, minor: true },
    ]} actions={({ at }) => <>
      <Button tone="quiet" small square icon="up" disabled={at === 0} onPress={() => move(at, -1)}>Move up</Button>
      <Button tone="quiet" small square icon="down" disabled={at === handlers.length - 1} onPress={() => move(at, 1)}>Move down</Button>
      <Button tone="quiet" small square icon="trash" onPress={() => remove(at)}>Remove handler</Button>
    </>} />}
    {edited && <HandlerDialog edited={edited} sites={part.sites} onClose={() => setEdited(null)} />}
  </Card>
}

interface Edited {
  Kind: Kind, LogName: string, Domain: string, PathRegexp: string, DontRedirectPlainHTTP: boolean, Compress: boolean, ResponseHeaders: string[]
  StripPrefix: string, Root: string, ListFiles: boolean, Follow: boolean, Dotfiles: boolean, ContinueNotFound: boolean
  BaseURL: string, OrigPathRegexp: string, ReplacePath: string, StatusCode: number
  StripPath: boolean, URL: string, BasePath: string, Service: NonNullable<api.WebHandler['Internal']>['Service']
}

export function edit(one: api.WebHandler | undefined): Edited {
  const { Static: files, Redirect: redirect, Forward: forward, Internal: internal } = one ?? {}
  return {
    Kind: one ? kindOf(one) : 'Static', LogName: one?.LogName ?? '', Domain: one?.Domain ?? '', PathRegexp: one?.PathRegexp ?? '^/', DontRedirectPlainHTTP: one?.DontRedirectPlainHTTP ?? false,
    Compress: one?.Compress ?? false, ResponseHeaders: Object.entries(files?.ResponseHeaders ?? forward?.ResponseHeaders ?? {}).map(([name, value]) => `${name}: ${value}`),
    StripPrefix: files?.StripPrefix ?? '', Root: files?.Root ?? '', ListFiles: files?.ListFiles ?? false, Follow: files?.Follow ?? false, Dotfiles: files?.Dotfiles ?? false,
    ContinueNotFound: files?.ContinueNotFound ?? false, BaseURL: redirect?.BaseURL ?? '', OrigPathRegexp: redirect?.OrigPathRegexp ?? '', ReplacePath: redirect?.ReplacePath ?? '',
    StatusCode: redirect?.StatusCode ?? 308, StripPath: forward?.StripPath ?? false, URL: forward?.URL ?? '', BasePath: internal?.BasePath ?? '/webmail/', Service: internal?.Service ?? 'webmail',
  }
}

/** The handler that was typed. */
export function written(values: Edited): api.WebHandler {
  const or = (text: string) => text.trim() || null
  const headers = Object.fromEntries(values.ResponseHeaders.map(line => [line.split(':', 1)[0]?.trim() ?? '', line.slice(line.indexOf(':') + 1).trim()]))
  const { Kind: kind } = values
  return {
    LogName: values.LogName.trim(), Domain: values.Domain.trim(), PathRegexp: values.PathRegexp.trim(), DontRedirectPlainHTTP: values.DontRedirectPlainHTTP, Compress: values.Compress,
    Static: kind === 'Static' ? {
      StripPrefix: values.StripPrefix.trim(), Root: values.Root.trim(), ListFiles: values.ListFiles, Follow: values.Follow, Dotfiles: values.Dotfiles, ContinueNotFound: values.ContinueNotFound, ResponseHeaders: headers,
    } : null,
    Redirect: kind === 'Redirect' ? { BaseURL: or(values.BaseURL), OrigPathRegexp: or(values.OrigPathRegexp), ReplacePath: values.ReplacePath.trim(), StatusCode: values.StatusCode } : null,
    Forward: kind === 'Forward' ? { StripPath: values.StripPath, URL: values.URL.trim(), ResponseHeaders: headers } : null,
    Internal: kind === 'Internal' ? { BasePath: values.BasePath.trim(), Service: values.Service } : null,
  }
}

function check(values: Edited): Partial<Record<keyof Edited, string>> {
  return {
    ...values.Domain.trim() === '' && { Domain: 'Which domain is it for?' },
    ...!values.PathRegexp.startsWith('^') && { PathRegexp: 'It must begin with ^' },
    ...values.ResponseHeaders.some(line => !line.includes(':')) && { ResponseHeaders: 'One a line, as Name: value' },
    ...values.Kind === 'Static' && values.Root.trim() === '' && { Root: 'Which folder?' },
    ...values.Kind === 'Forward' && values.URL.trim() === '' && { URL: 'Where to?' },
    ...values.Kind === 'Redirect' && values.BaseURL.trim() === '' && values.OrigPathRegexp.trim() === '' && { BaseURL: 'Give this, or a path and what replaces it' },
    ...values.Kind === 'Redirect' && (values.OrigPathRegexp.trim() === '') !== (values.ReplacePath.trim() === '') && { ReplacePath: 'A path and what replaces it go together' },
  }
}

function HandlerDialog({ edited: { at, config }, sites, onClose }: { edited: { at: number | null, config: api.WebserverConfig }, sites: Resource<api.Webserver>, onClose: () => void }) {
  const handlers = config.WebHandlers, place = at ?? handlers.length
  const form = useForm<Edited>(edit(handlers[place]), {
    success: at === null ? 'Handler added' : 'Handler saved', check,
    save: async values => {
      const one = written(values), WebHandlers = at === null ? [...handlers, one] : handlers.map((other, index) => index === at ? one : other)
      try {
        await save({ config, sites }, { WebHandlers })
      } catch (error) {
        throw byField(error, new RegExp(`^(?:new\\.)?web_?handlers\\[${place}\\]`, 'i'), Object.keys(values))
      }
    },
    done: onClose,
  })
  const kind = form.values.value.Kind
  return <Dialog title={at === null ? 'Add handler' : 'Edit handler'} wide onClose={onClose}>
    <Form model={form} bar={false}>
      <h3>Requests</h3>
      <Fields>
        <TextField label="Domain" bind={form.field('Domain')} placeholder="www.example.org" />
        <TextField label="Path" bind={form.field('PathRegexp')} mono help="A regular expression for the beginning of the path. ^/ is every path." />
      </Fields>
      <Checkbox label="Answer plain HTTP, too" bind={form.field('DontRedirectPlainHTTP')} help="Otherwise it leads to the same address by HTTPS." />
      <h3>Answered by</h3>
      <Select label="Kind" bind={form.field('Kind')} choices={KINDS} />
      {kind === 'Static' && <>
        <Fields>
          <TextField label="Folder" bind={form.field('Root')} mono placeholder="/srv/www.example.org" help="On the server." />
          <TextField label="Leave out of the path" bind={form.field('StripPrefix')} mono placeholder="/docs/" help="The beginning that is no part of the file's name." />
        </Fields>
        <Checkbox label="List files of folders without index.html" bind={form.field('ListFiles')} />
        <Checkbox label="Ask the next handler when there is no such file" bind={form.field('ContinueNotFound')} />
        <Checkbox label="Follow symbolic links out of the folder" bind={form.field('Follow')} />
        <Checkbox label="Serve files whose names begin with a dot" bind={form.field('Dotfiles')} help=".well-known is served always." />
      </>}
      {kind === 'Redirect' && <>
        <Fields>
          <TextField label="To" bind={form.field('BaseURL')} mono placeholder="https://www.example.com" help="Scheme and host; the path is kept, or replaced." />
          <NumberField label="Status" bind={form.field('StatusCode')} min={300} help="308 for good, 307 for now." />
        </Fields>
        <Fields>
          <TextField label="Path that is replaced" bind={form.field('OrigPathRegexp')} mono placeholder="^/old/(.*)$" />
          <TextField label="Replaced by" bind={form.field('ReplacePath')} mono placeholder="/new/$1" help="$1 is the first group." />
        </Fields>
      </>}
      {kind === 'Forward' && <>
        <TextField label="URL" bind={form.field('URL')} mono placeholder="http://127.0.0.1:8080/" help="The path of the request is added." />
        <Checkbox label="Leave out the part of the path that matched" bind={form.field('StripPath')} />
      </>}
      {kind === 'Internal' && <Fields>
        <Select label="Application" bind={form.field('Service')} choices={SERVICES} />
        <TextField label="At" bind={form.field('BasePath')} mono help="Begins and ends with a slash; the path above must lead here." />
      </Fields>}
      {(kind === 'Static' || kind === 'Forward') && <ListField label="Header fields of responses" bind={form.field('ResponseHeaders')} mono placeholder="Cache-Control: max-age=3600" help="One a line." />}
      <Checkbox label="Compress answers" bind={form.field('Compress')} />
      <TextField label="Name in logs" bind={form.field('LogName')} placeholder={String(place)} />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>{at === null ? 'Add handler' : 'Save'}</Button></Actions>
    </Form>
  </Dialog>
}

function Redirects(part: PartProps) {
  const redirects = part.config.WebDomainRedirects, [config, setConfig] = useState<api.WebserverConfig | null>(null)
  const remove = async (domain: string) => {
    const { [domain]: _, ...rest } = redirects
    if (await confirm({ title: `Remove the redirect of ${domain}?`, action: 'Remove redirect', consequences: ['Handlers for the domain answer, or nobody does.'] })) await attempt(() => save(part, { WebDomainRedirects: rest }), 'Redirect removed')
  }
  return <Card title="Domain redirects" about="All requests for a domain lead to the same place of another one. They come before all handlers." flush
    actions={<Button icon="plus" onPress={() => setConfig(part.config)}>Add redirect</Button>}>
    {Object.keys(redirects).length === 0 ? <Empty icon="route">None.</Empty> : <Table caption="redirects" rows={Object.entries(redirects)} id={([from]) => from} sortedBy="from" columns={[
      { id: 'from', title: 'From', cell: ([from]) => from, sort: ([from]) => from },
      { id: 'to', title: 'To', cell: ([, to]) => `https://${to}`, sort: ([, to]) => to },
    ]} actions={([from]) => <Button tone="quiet" small square icon="trash" onPress={() => remove(from)}>Remove redirect</Button>} />}
    {config && <RedirectDialog config={config} sites={part.sites} onClose={() => setConfig(null)} />}
  </Card>
}

function RedirectDialog({ config, sites, onClose }: PartProps & { onClose: () => void }) {
  const form = useForm({ From: '', To: '' }, {
    success: 'Redirect added',
    check: ({ From, To }) => ({
      ...From.trim() === '' && { From: 'Which domain?' },
      ...From.trim() in config.WebDomainRedirects && { From: 'It has a redirect already' },
      ...To.trim() === '' && { To: 'Where to?' },
    }),
    save: ({ From, To }) => save({ config, sites }, { WebDomainRedirects: { ...config.WebDomainRedirects, [From.trim()]: To.trim() } }),
    done: onClose,
  })
  return <Dialog title="Add redirect" onClose={onClose}>
    <Form model={form} bar={false}>
      <TextField label="From" bind={form.field('From')} placeholder="example.com" autofocus />
      <TextField label="To" bind={form.field('To')} placeholder="www.example.org" />
      <Actions><Button onPress={onClose}>Cancel</Button><Button type="submit" tone="primary" busy={form.busy.value}>Add redirect</Button></Actions>
    </Form>
  </Dialog>
}

function Ask({ handlers }: { handlers: readonly api.WebHandler[] }) {
  const [url, setUrl] = useState(''), [answer, setAnswer] = useState<{ url: string, text: string, bad: boolean } | null>(null)
  const ask = async (event: Event) => {
    event.preventDefault()
    try {
      setAnswer({ url, bad: false, text: inWords(await api.WebserverAsk(url.trim()), handlers) })
    } catch (error) {
      setAnswer({ url, bad: true, text: explain(error) })
    }
  }
  return <Card title="Who answers?" about="For a request, by the configuration as it is; nothing is asked in truth.">
    <form class="stack" onSubmit={ask}>
      <Field label="URL">{attributes => <span class="row">
        <input class="input mono" type="url" value={url} placeholder="https://www.example.org/docs/" {...attributes} onInput={event => setUrl(event.currentTarget.value)} />
        <Button type="submit" disabled={url.trim() === ''}>Tell</Button>
      </span>}</Field>
      {answer && <div aria-live="polite"><Notice state={answer.bad ? 'warn' : 'accent'}>{answer.text}</Notice></div>}
    </form>
  </Card>
}

/** Who would answer, as a sentence. */
export function inWords(answer: api.WebserverAnswer, handlers: readonly api.WebHandler[]): string {
  const named = (at: number) => {
    const one = handlers[at]
    return one ? `handler ${at + 1} (${NAMES[kindOf(one)]}: ${about(one)})` : `handler ${at + 1}`
  }
  const last = answer.Location ? `a redirect to ${answer.Location}` : answer.Otherwise === '(notfound)' ? '404 Not Found' : `${answer.Otherwise} of this server`
  const asked = answer.Handlers.map(named)
  return asked.length === 0 ? `Answered by ${last}.` : `Answered by ${asked.join(', or, if that has nothing, by ')}. Else: ${last}.`
}
