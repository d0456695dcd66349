// The name that others see, and how these pages look.

import * as api from '../api/account'
import { Button, Card, Form, Page, TextField, useForm, type IconName } from '../kit'
import { theme, type Theme } from '../lib/theme'
import { WithAccount } from './parts'
import { account } from './model'

const THEMES: readonly (readonly [Theme, string, IconName])[] = [['system', 'As the system', 'screen'], ['light', 'Light', 'sun'], ['dark', 'Dark', 'moon']]

export function ProfilePage() {
  return <Page title="Name and looks">
    <WithAccount>{info => <FullName name={info.Config.FullName} />}</WithAccount>
    <Card title="Colours" about="Of these pages, in this browser.">
      <div class="themes" role="group" aria-label="Colours">
        {THEMES.map(([one, text, icon]) => <Button key={one} icon={icon} pressed={theme.value === one} tone={theme.value === one ? 'primary' : 'plain'} onPress={() => { theme.value = one }}>{text}</Button>)}
      </div>
    </Card>
  </Page>
}

function FullName({ name }: { name: string }) {
  const form = useForm({ FullName: name }, {
    save: values => api.AccountSaveFullName(values.FullName),
    done: () => { void account.reload() },
  })
  return <Card title="Your name"><Form model={form}>
    <TextField label="Full name" bind={form.field('FullName')} autocomplete="name" maxLength={200} help="In From of messages written in webmail. Single addresses may have another one." />
  </Form></Card>
}
