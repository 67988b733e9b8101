/** The shell's own words, in the window's three languages: the menu and what is said when there is no page to say it. */

const en = {
  file: 'File',
  edit: 'Edit',
  view: 'View',
  window: 'Window',
  exportKey: 'Export Data Key…',
  quit: 'Quit Lifeline',
  close: 'Close Window',
  undo: 'Undo',
  redo: 'Redo',
  cut: 'Cut',
  copy: 'Copy',
  paste: 'Paste',
  selectAll: 'Select All',
  reload: 'Reload',
  resetZoom: 'Actual Size',
  zoomIn: 'Zoom In',
  zoomOut: 'Zoom Out',
  togglefullscreen: 'Full Screen',
  toggleDevTools: 'Developer Tools',
  minimize: 'Minimize',
  zoom: 'Zoom',
  unableTitle: 'Lifeline cannot run',
  tryAgain: 'Try Again',
  cancel: 'Cancel',
  exportTitle: 'Export the data key?',
  exportDetail:
    'The key that encrypts the stored passwords is kept by this desktop. After the export it lies in the data folder as a file that only you can read, so that Lifeline also runs without a window. Whoever gets that file and the data folder can read the passwords.',
  exportDone: 'The key is now in',
  exportFailed: 'The key was not exported',
};

export type Texts = typeof en;

const zhCN: Texts = {
  file: '文件',
  edit: '编辑',
  view: '显示',
  window: '窗口',
  exportKey: '导出数据密钥…',
  quit: '退出 Lifeline',
  close: '关闭窗口',
  undo: '撤销',
  redo: '重做',
  cut: '剪切',
  copy: '复制',
  paste: '粘贴',
  selectAll: '全选',
  reload: '重新加载',
  resetZoom: '实际大小',
  zoomIn: '放大',
  zoomOut: '缩小',
  togglefullscreen: '全屏',
  toggleDevTools: '开发者工具',
  minimize: '最小化',
  zoom: '缩放',
  unableTitle: 'Lifeline 无法运行',
  tryAgain: '重试',
  cancel: '取消',
  exportTitle: '导出数据密钥？',
  exportDetail:
    '已保存的密码由一把密钥加密，该密钥目前由本机桌面系统保管。导出后，密钥会成为数据目录中仅您可读的文件，Lifeline 无需窗口也能运行。任何人拿到该文件和数据目录，就能读取这些密码。',
  exportDone: '密钥现位于',
  exportFailed: '密钥未导出',
};

const zhTW: Texts = {
  file: '檔案',
  edit: '編輯',
  view: '顯示',
  window: '視窗',
  exportKey: '匯出資料金鑰…',
  quit: '結束 Lifeline',
  close: '關閉視窗',
  undo: '復原',
  redo: '重做',
  cut: '剪下',
  copy: '拷貝',
  paste: '貼上',
  selectAll: '全選',
  reload: '重新載入',
  resetZoom: '實際大小',
  zoomIn: '放大',
  zoomOut: '縮小',
  togglefullscreen: '全螢幕',
  toggleDevTools: '開發者工具',
  minimize: '最小化',
  zoom: '縮放',
  unableTitle: 'Lifeline 無法執行',
  tryAgain: '重試',
  cancel: '取消',
  exportTitle: '匯出資料金鑰？',
  exportDetail:
    '已儲存的密碼由一把金鑰加密，該金鑰目前由本機桌面系統保管。匯出後，金鑰會成為資料目錄中僅您可讀的檔案，Lifeline 不需視窗也能執行。任何人取得該檔案與資料目錄，就能讀取這些密碼。',
  exportDone: '金鑰現位於',
  exportFailed: '金鑰未匯出',
};

/** `locale` as the system names it: `zh-TW`, `zh-Hant-HK`, `en-GB`. */
export function textsFor(locale: string): Texts {
  if (!/^zh\b/i.test(locale)) return en;
  return /hant|^zh-(tw|hk|mo)\b/i.test(locale) ? zhTW : zhCN;
}
