import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider, type RouterHistory } from '@tanstack/react-router';
import { App, ConfigProvider } from 'antd';
import enUS from 'antd/locale/en_US';
import zhCN from 'antd/locale/zh_CN';
import 'dayjs/locale/zh-cn';
import { StrictMode, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { themeFor } from './frame/theme';
import { createQueryClient } from './query';
import { createRouter } from './router';
import { leaveToLogin } from './session/session';

/** Everything: cache, language, looks, pages. `history` is the browser's unless a test brings its own. */
export function Console({ history }: { history?: RouterHistory }) {
  const { i18n } = useTranslation();
  const [{ queryClient, router }] = useState(() => start(history));
  const [theme] = useState(() => themeFor(window.matchMedia('(prefers-reduced-motion: reduce)').matches));
  const chinese = i18n.language === 'zh-CN';
  return (
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <ConfigProvider locale={chinese ? zhCN : enUS} theme={theme} button={{ autoInsertSpace: false }}>
          <App>
            <RouterProvider router={router} />
          </App>
        </ConfigProvider>
      </QueryClientProvider>
    </StrictMode>
  );
}

function start(history: RouterHistory | undefined) {
  const queryClient = createQueryClient(() => void leaveToLogin(router, { keepPlace: true }));
  const router = createRouter(queryClient, history);
  return { queryClient, router };
}
