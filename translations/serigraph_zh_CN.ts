<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name>sg::ui::ChoicesMenu</name>
    <message>
        <source>As the file says</source>
        <translation>按文件内容</translation>
    </message>
    <message>
        <source>Family</source>
        <translation>系列</translation>
    </message>
    <message>
        <source>SDXL refiner</source>
        <translation>SDXL 精修模型</translation>
    </message>
    <message>
        <source>Prediction</source>
        <translation>预测类型</translation>
    </message>
    <message>
        <source>Noise (epsilon)</source>
        <translation>噪声（epsilon）</translation>
    </message>
    <message>
        <source>Velocity (v)</source>
        <translation>速度（v）</translation>
    </message>
    <message>
        <source>Zero terminal SNR</source>
        <translation>零终端信噪比</translation>
    </message>
    <message>
        <source>On</source>
        <translation>开</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>EMA weights, where the file has them</source>
        <translation>EMA 权重（若文件中有）</translation>
    </message>
</context>
<context>
    <name>Errors</name>
    <message>
        <source>This value cannot be used</source>
        <translation>这个值不能使用</translation>
    </message>
    <message>
        <source>Not found</source>
        <translation>找不到</translation>
    </message>
    <message>
        <source>It exists already</source>
        <translation>已经存在</translation>
    </message>
    <message>
        <source>Not allowed</source>
        <translation>不允许</translation>
    </message>
    <message>
        <source>The link has expired</source>
        <translation>链接已过期</translation>
    </message>
    <message>
        <source>Too large</source>
        <translation>太大</translation>
    </message>
    <message>
        <source>This file cannot be used</source>
        <translation>这个文件不能使用</translation>
    </message>
    <message>
        <source>The model&apos;s file has changed on disk</source>
        <translation>模型文件在磁盘上已被更改</translation>
    </message>
    <message>
        <source>The queue is full; try again later</source>
        <translation>队列已满，请稍后再试</translation>
    </message>
    <message>
        <source>Interrupted</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>The network produced numbers that are not finite</source>
        <translation>网络产生了非有限的数值</translation>
    </message>
    <message>
        <source>Not enough memory</source>
        <translation>内存不足</translation>
    </message>
    <message>
        <source>The disk is full</source>
        <translation>磁盘已满</translation>
    </message>
    <message>
        <source>The engine failed</source>
        <translation>引擎出错</translation>
    </message>
    <message>
        <source>The server does not answer now</source>
        <translation>服务器现在没有响应</translation>
    </message>
    <message>
        <source>Something went wrong</source>
        <translation>出了问题</translation>
    </message>
    <message>
        <source>%1.</source>
        <translation>%1。</translation>
    </message>
    <message>
        <source>%1: %2</source>
        <translation>%1：%2</translation>
    </message>
</context>
<context>
    <name>Format</name>
    <message>
        <source>%1 s</source>
        <translation>%1 秒</translation>
    </message>
    <message>
        <source>%1 min %2 s</source>
        <translation>%1 分 %2 秒</translation>
    </message>
    <message>
        <source>%1 h %2 min</source>
        <translation>%1 小时 %2 分</translation>
    </message>
    <message>
        <source>%1 it/s</source>
        <translation>%1 步/秒</translation>
    </message>
    <message>
        <source>%1 s/it</source>
        <translation>%1 秒/步</translation>
    </message>
</context>
<context>
    <name>Options</name>
    <message>
        <source>Serigraph: Stable Diffusion on your own machine.</source>
        <translation>Serigraph：在您自己的电脑上运行 Stable Diffusion。</translation>
    </message>
    <message>
        <source>Folder of database, pictures and settings.</source>
        <translation>数据库、图片和设置所在的文件夹。</translation>
    </message>
    <message>
        <source>A model folder for this run; may be repeated.</source>
        <translation>本次运行使用的模型文件夹，可以重复给出。</translation>
    </message>
    <message>
        <source>Use the server at this URL instead of one in this program.</source>
        <translation>使用此 URL 的服务器，而不是本程序内的服务器。</translation>
    </message>
    <message>
        <source>The token for --connect.</source>
        <translation>用于 --connect 的令牌。</translation>
    </message>
    <message>
        <source>The first page: generate, models, server or log.</source>
        <translation>首先显示的页面：generate、models、server 或 log。</translation>
    </message>
    <message>
        <source>Write the window to this PNG file and quit.</source>
        <translation>把窗口写入此 PNG 文件后退出。</translation>
    </message>
    <message>
        <source>Plain colours instead of pictures, for tests.</source>
        <translation>用纯色代替图片，供测试使用。</translation>
    </message>
</context>
<context>
    <name>Parameters</name>
    <message>
        <source>Seamless</source>
        <translation>无缝</translation>
    </message>
    <message>
        <source>The picture goes on at its opposite edge, so that copies of it fit together.</source>
        <translation>图片在相对的边缘处延续，副本可以无缝拼接。</translation>
    </message>
    <message>
        <source>Seamless edges</source>
        <translation>无缝边缘</translation>
    </message>
    <message>
        <source>Which edges fit together: all, left and right, or top and bottom.</source>
        <translation>哪些边缘相接：全部、左右，或上下。</translation>
    </message>
    <message>
        <source>VAE in tiles</source>
        <translation>VAE 分块</translation>
    </message>
    <message>
        <source>Decodes the picture in overlapping tiles: when the whole would not fit into memory, always, or never.</source>
        <translation>以重叠的分块解码图片：在整张放不进内存时、总是，或从不。</translation>
    </message>
    <message>
        <source>VAE tile</source>
        <translation>VAE 分块大小</translation>
    </message>
    <message>
        <source>The largest side of such a tile.</source>
        <translation>这种分块的最大边长。</translation>
    </message>
    <message>
        <source>Upscaler tile</source>
        <translation>放大分块大小</translation>
    </message>
    <message>
        <source>A side of the tiles that an upscaler&apos;s file enlarges one by one; 0 enlarges the whole at once.</source>
        <translation>放大模型逐块放大时每块的边长；0 表示整张一次放大。</translation>
    </message>
    <message>
        <source>Upscaler overlap</source>
        <translation>放大分块重叠</translation>
    </message>
    <message>
        <source>By how much these tiles overlap; too little shows seams.</source>
        <translation>这些分块重叠多少；太少会出现接缝。</translation>
    </message>
    <message>
        <source>Upscaler</source>
        <translation>放大算法</translation>
    </message>
    <message>
        <source>How start pictures are made larger, where they are smaller than what is drawn.</source>
        <translation>起始图小于要绘制的尺寸时如何放大。</translation>
    </message>
    <message>
        <source>Previews</source>
        <translation>预览</translation>
    </message>
    <message>
        <source>Approx cheap guesses the colours, TAESD needs its file in the model folders, Full decodes with the VAE.</source>
        <translation>“粗略”估计颜色，TAESD 需要模型文件夹中有其文件，“完整”用 VAE 解码。</translation>
    </message>
    <message>
        <source>Eta of ancestral samplers</source>
        <translation>祖先采样器的 Eta</translation>
    </message>
    <message>
        <source>What Eta -1 means for samplers that add noise.</source>
        <translation>Eta 为 -1 时，添加噪声的采样器所用的值。</translation>
    </message>
    <message>
        <source>Eta of DDIM</source>
        <translation>DDIM 的 Eta</translation>
    </message>
    <message>
        <source>What Eta -1 means for DDIM.</source>
        <translation>Eta 为 -1 时 DDIM 所用的值。</translation>
    </message>
    <message>
        <source>Sigma churn</source>
        <translation>Sigma 扰动</translation>
    </message>
    <message>
        <source>Noise added back before each step of Euler, Heun and DPM2.</source>
        <translation>Euler、Heun 和 DPM2 每步之前加回的噪声。</translation>
    </message>
    <message>
        <source>Sigma tmin</source>
        <translation>Sigma 下限</translation>
    </message>
    <message>
        <source>Churn only above this noise level.</source>
        <translation>仅在此噪声水平之上扰动。</translation>
    </message>
    <message>
        <source>Sigma tmax</source>
        <translation>Sigma 上限</translation>
    </message>
    <message>
        <source>Churn only below this noise level; 0 has no limit.</source>
        <translation>仅在此噪声水平之下扰动；0 表示不限。</translation>
    </message>
    <message>
        <source>Sigma noise</source>
        <translation>Sigma 噪声</translation>
    </message>
    <message>
        <source>How strong the added noise is.</source>
        <translation>所添加噪声的强度。</translation>
    </message>
    <message>
        <source>Schedule min sigma</source>
        <translation>调度最小 sigma</translation>
    </message>
    <message>
        <source>The lowest noise level; 0 is the model&apos;s own.</source>
        <translation>最低噪声水平；0 为模型自身的值。</translation>
    </message>
    <message>
        <source>Schedule max sigma</source>
        <translation>调度最大 sigma</translation>
    </message>
    <message>
        <source>The highest noise level; 0 is the model&apos;s own.</source>
        <translation>最高噪声水平；0 为模型自身的值。</translation>
    </message>
    <message>
        <source>Schedule rho</source>
        <translation>调度 rho</translation>
    </message>
    <message>
        <source>How the Karras and Polyexponential schedules bend; 0 is their own.</source>
        <translation>Karras 与 Polyexponential 调度的弯曲程度；0 为其自身的值。</translation>
    </message>
    <message>
        <source>Beta schedule alpha</source>
        <translation>Beta 调度 alpha</translation>
    </message>
    <message>
        <source>First number of the Beta schedule.</source>
        <translation>Beta 调度的第一个参数。</translation>
    </message>
    <message>
        <source>Beta schedule beta</source>
        <translation>Beta 调度 beta</translation>
    </message>
    <message>
        <source>Second number of the Beta schedule.</source>
        <translation>Beta 调度的第二个参数。</translation>
    </message>
    <message>
        <source>Discard penultimate sigma</source>
        <translation>舍弃倒数第二个 sigma</translation>
    </message>
    <message>
        <source>Leaves the lowest noise level of the schedule out.</source>
        <translation>略去调度中最低的噪声水平。</translation>
    </message>
    <message>
        <source>SGM noise multiplier</source>
        <translation>SGM 噪声倍数</translation>
    </message>
    <message>
        <source>Starts from slightly more noise, as SDXL was trained.</source>
        <translation>从略多的噪声开始，与 SDXL 的训练一致。</translation>
    </message>
    <message>
        <source>UniPC order</source>
        <translation>UniPC 阶数</translation>
    </message>
    <message>
        <source>How many steps UniPC looks back.</source>
        <translation>UniPC 回看的步数。</translation>
    </message>
    <message>
        <source>UniPC variant</source>
        <translation>UniPC 变体</translation>
    </message>
    <message>
        <source>How UniPC weighs what it remembers: bh1 and bh2 by the step, vary_coeff by all steps remembered.</source>
        <translation>UniPC 如何加权所记住的内容：bh1 和 bh2 按当前一步，vary_coeff 按记住的所有步。</translation>
    </message>
    <message>
        <source>Noise schedule</source>
        <translation>噪声级表</translation>
    </message>
    <message>
        <source>Zero Terminal SNR stretches the model's noise levels until the last is all noise.</source>
        <translation>Zero Terminal SNR 把模型的噪声级拉伸到最后一级全是噪声。</translation>
    </message>
    <message>
        <source>Half precision levels</source>
        <translation>半精度噪声级</translation>
    </message>
    <message>
        <source>Rounds the model's noise levels as A1111 did before 1.7, for its old pictures.</source>
        <translation>像 A1111 1.7 之前那样对模型的噪声级取整，用于重现旧图片。</translation>
    </message>
    <message>
        <source>Old prompt timelines</source>
        <translation>旧提示词时间线</translation>
    </message>
    <message>
        <source>Numbers in [from:to:when] as in A1111 before 1.6: below 1 a share of the steps, else a step.</source>
        <translation>[from:to:when] 中的数字按 A1111 1.6 之前的方式：小于 1 为步数的比例，否则为第几步。</translation>
    </message>
    <message>
        <source>Refiner by steps</source>
        <translation>按步数切换精修模型</translation>
    </message>
    <message>
        <source>The refiner takes over by the share of the steps, not of the noise levels, as in A1111 before 1.8.</source>
        <translation>精修模型按步数的比例而非噪声级的比例接手，如 A1111 1.8 之前。</translation>
    </message>
    <message>
        <source>Refiner in</source>
        <translation>精修所在</translation>
    </message>
    <message>
        <source>The pass of hires fix that the refiner finishes.</source>
        <translation>由精修模型完成的高清修复阶段。</translation>
    </message>
    <message>
        <source>Default</source>
        <translation>默认</translation>
    </message>
    <message>
        <source>Zero Terminal SNR</source>
        <translation>零终端信噪比</translation>
    </message>
    <message>
        <source>second pass</source>
        <translation>第二阶段</translation>
    </message>
    <message>
        <source>first pass</source>
        <translation>第一阶段</translation>
    </message>
    <message>
        <source>both passes</source>
        <translation>两个阶段</translation>
    </message>
    <message>
        <source>Without LoRAs</source>
        <translation>不使用 LoRA</translation>
    </message>
    <message>
        <source>The LoRA tags of the prompts are read and not followed.</source>
        <translation>读取提示词中的 LoRA 标签但不应用。</translation>
    </message>
    <message>
        <source>UniPC skip type</source>
        <translation>UniPC 步距类型</translation>
    </message>
    <message>
        <source>How UniPC's steps are spread: evenly in time, in its square root, or in the noise's logarithm.</source>
        <translation>UniPC 的步如何分布：在时间上均匀、在其平方根上均匀，或在噪声的对数上均匀。</translation>
    </message>
    <message>
        <source>UniPC lower order final</source>
        <translation>UniPC 末尾降阶</translation>
    </message>
    <message>
        <source>UniPC looks back less in its last steps, which is steadier with few of them.</source>
        <translation>UniPC 在最后几步回看得更少，步数少时更稳定。</translation>
    </message>
    <message>
        <source>Random numbers</source>
        <translation>随机数</translation>
    </message>
    <message>
        <source>CPU draws the same everywhere; NV draws an NVIDIA GPU&apos;s numbers on any machine.</source>
        <translation>CPU 在各处结果相同；NV 在任何机器上得出 NVIDIA GPU 的随机数。</translation>
    </message>
    <message>
        <source>ENSD</source>
        <translation>噪声种子偏移</translation>
    </message>
    <message>
        <source>Added to the seed of the noise that samplers add.</source>
        <translation>加到采样器所添加噪声的种子上。</translation>
    </message>
    <message>
        <source>Resize seed from width</source>
        <translation>种子缩放自宽度</translation>
    </message>
    <message>
        <source>Keeps the composition of this width; 0 or -1 is off.</source>
        <translation>保持该宽度下的构图；0 或 -1 为关闭。</translation>
    </message>
    <message>
        <source>Resize seed from height</source>
        <translation>种子缩放自高度</translation>
    </message>
    <message>
        <source>Keeps the composition of this height; 0 or -1 is off.</source>
        <translation>保持该高度下的构图；0 或 -1 为关闭。</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>What the picture shows. (word:1.2) weighs more, [word] less.</source>
        <translation>画面的内容。(词:1.2) 加重，[词] 减轻。</translation>
    </message>
    <message>
        <source>Negative prompt</source>
        <translation>反向提示词</translation>
    </message>
    <message>
        <source>What the picture should not show.</source>
        <translation>画面中不应出现的内容。</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>The checkpoint that draws.</source>
        <translation>用来绘图的检查点。</translation>
    </message>
    <message>
        <source>Sampler</source>
        <translation>采样器</translation>
    </message>
    <message>
        <source>How noise is taken away, step by step.</source>
        <translation>逐步去除噪声的方法。</translation>
    </message>
    <message>
        <source>Schedule</source>
        <translation>调度</translation>
    </message>
    <message>
        <source>How the noise levels are spread over the steps.</source>
        <translation>噪声强度在各步之间的分布。</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>More steps take longer and change less and less.</source>
        <translation>步数越多耗时越长，变化越来越小。</translation>
    </message>
    <message>
        <source>CFG scale</source>
        <translation>CFG 强度</translation>
    </message>
    <message>
        <source>How closely the picture follows the prompt; 1 switches guidance off.</source>
        <translation>画面遵循提示词的程度；1 表示关闭引导。</translation>
    </message>
    <message>
        <source>Width</source>
        <translation>宽度</translation>
    </message>
    <message>
        <source>Width of the picture.</source>
        <translation>图片的宽度。</translation>
    </message>
    <message>
        <source>Height</source>
        <translation>高度</translation>
    </message>
    <message>
        <source>Height of the picture.</source>
        <translation>图片的高度。</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>种子</translation>
    </message>
    <message>
        <source>The same seed and parameters give the same picture; -1 takes a new one.</source>
        <translation>相同的种子和参数得到相同的图片；-1 表示每次取新种子。</translation>
    </message>
    <message>
        <source>Variation seed</source>
        <translation>变异种子</translation>
    </message>
    <message>
        <source>The seed that a variation moves towards; -1 takes a new one.</source>
        <translation>变异所趋向的种子；-1 表示取新种子。</translation>
    </message>
    <message>
        <source>Variation strength</source>
        <translation>变异强度</translation>
    </message>
    <message>
        <source>0 is the seed&apos;s picture, 1 the variation seed&apos;s.</source>
        <translation>0 为种子的图片，1 为变异种子的图片。</translation>
    </message>
    <message>
        <source>Batch size</source>
        <translation>每批数量</translation>
    </message>
    <message>
        <source>Pictures computed together.</source>
        <translation>同时计算的图片数。</translation>
    </message>
    <message>
        <source>Batch count</source>
        <translation>批次数</translation>
    </message>
    <message>
        <source>How often the batch is repeated.</source>
        <translation>批次重复的次数。</translation>
    </message>
    <message>
        <source>Eta</source>
        <translation>Eta</translation>
    </message>
    <message>
        <source>Noise added again at each step; -1 is the sampler&apos;s own: 1 for ancestral ones, 0 for DDIM.</source>
        <translation>每步重新加入的噪声；-1 为采样器自身的值：祖先采样器为 1，DDIM 为 0。</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>Uniform</source>
        <translation>均匀</translation>
    </message>
    <message>
        <source>Karras</source>
        <translation>Karras</translation>
    </message>
    <message>
        <source>Exponential</source>
        <translation>指数</translation>
    </message>
    <message>
        <source>Styles</source>
        <translation>风格</translation>
    </message>
    <message>
        <source>Names of styles to put around the prompts, joined by commas.</source>
        <translation>套在提示词上的风格名称，以逗号分隔。</translation>
    </message>
    <message>
        <source>Emphasis</source>
        <translation>强调</translation>
    </message>
    <message>
        <source>What becomes of weights: Original keeps the mean, No norm does not, Ignore leaves them out, None reads brackets as text.</source>
        <translation>如何处理权重：“原始”保持均值，“不归一化”不保持，“忽略”忽略权重，“无”把括号当作文字。</translation>
    </message>
    <message>
        <source>Clip skip</source>
        <translation>CLIP 跳层</translation>
    </message>
    <message>
        <source>Which layer of the text encoder is read, counted from the last.</source>
        <translation>读取文本编码器的第几层，从最后一层数起。</translation>
    </message>
    <message>
        <source>Comma backtracking</source>
        <translation>逗号回溯</translation>
    </message>
    <message>
        <source>How many tokens before the end of a chunk a comma may be to move what follows it.</source>
        <translation>逗号离一段末尾多少个词元以内时，其后的内容移到下一段。</translation>
    </message>
    <message>
        <source>Equal lengths</source>
        <translation>等长</translation>
    </message>
    <message>
        <source>Fills the shorter of prompt and negative prompt up with empty chunks.</source>
        <translation>用空段把提示词与负面提示词中较短的一个补齐。</translation>
    </message>
    <message>
        <source>CFG rescale</source>
        <translation>CFG 重缩放</translation>
    </message>
    <message>
        <source>Takes back what strong guidance does to contrast; 0 switches it off.</source>
        <translation>抵消强引导对对比度的影响；0 为关闭。</translation>
    </message>
    <message>
        <source>Guidance from</source>
        <translation>引导开始</translation>
    </message>
    <message>
        <source>The share of the steps after which guidance begins.</source>
        <translation>经过这一比例的步数之后开始引导。</translation>
    </message>
    <message>
        <source>Guidance until</source>
        <translation>引导结束</translation>
    </message>
    <message>
        <source>The share of the steps after which guidance ends.</source>
        <translation>经过这一比例的步数之后停止引导。</translation>
    </message>
    <message>
        <source>Skip early guidance</source>
        <translation>跳过早期引导</translation>
    </message>
    <message>
        <source>No guidance in this share of the steps at the beginning.</source>
        <translation>开头这一比例的步数不做引导。</translation>
    </message>
    <message>
        <source>Negative guidance minimum sigma</source>
        <translation>负面引导最小 sigma</translation>
    </message>
    <message>
        <source>Below this noise level every second step goes without the negative prompt, which is faster.</source>
        <translation>噪声低于此值时，每隔一步不使用负面提示词，速度更快。</translation>
    </message>
    <message>
        <source>Minimum sigma for all steps</source>
        <translation>最小 sigma 用于所有步</translation>
    </message>
    <message>
        <source>Below that level every step goes without the negative prompt.</source>
        <translation>低于该值时，每一步都不使用负面提示词。</translation>
    </message>
    <message>
        <source>Original</source>
        <translation>原始</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Ignore</source>
        <translation>忽略</translation>
    </message>
    <message>
        <source>No norm</source>
        <translation>不归一化</translation>
    </message>
    <message>
        <source>Start picture</source>
        <translation>起始图片</translation>
    </message>
    <message>
        <source>The picture that the drawing starts from; several are drawn as one batch.</source>
        <translation>绘制由此图片开始；多张图片作为一批绘制。</translation>
    </message>
    <message>
        <source>Denoising strength</source>
        <translation>重绘强度</translation>
    </message>
    <message>
        <source>How far the result may move away from the start: 0 keeps it, 1 forgets it.</source>
        <translation>结果可以偏离起始图片多远：0 保持原样，1 完全不管。</translation>
    </message>
    <message>
        <source>Resize mode</source>
        <translation>缩放方式</translation>
    </message>
    <message>
        <source>What happens to a start picture of another shape.</source>
        <translation>起始图片形状不同时如何处理。</translation>
    </message>
    <message>
        <source>Just resize</source>
        <translation>仅缩放</translation>
    </message>
    <message>
        <source>Crop and resize</source>
        <translation>裁剪后缩放</translation>
    </message>
    <message>
        <source>Resize and fill</source>
        <translation>缩放后填充</translation>
    </message>
    <message>
        <source>Just resize (latent upscale)</source>
        <translation>仅缩放（潜空间放大）</translation>
    </message>
    <message>
        <source>Mask</source>
        <translation>蒙版</translation>
    </message>
    <message>
        <source>White is drawn anew, black stays; of the start picture&apos;s shape.</source>
        <translation>白色部分重绘，黑色部分保留；形状应与起始图片相同。</translation>
    </message>
    <message>
        <source>Mask blur</source>
        <translation>蒙版模糊</translation>
    </message>
    <message>
        <source>How softly the mask ends.</source>
        <translation>蒙版边缘的柔和程度。</translation>
    </message>
    <message>
        <source>Mask blur, across</source>
        <translation>蒙版模糊（横向）</translation>
    </message>
    <message>
        <source>Of its own for this direction; -1 is the mask blur.</source>
        <translation>此方向单独的值；-1 表示使用蒙版模糊。</translation>
    </message>
    <message>
        <source>Mask blur, down</source>
        <translation>蒙版模糊（纵向）</translation>
    </message>
    <message>
        <source>Mask mode</source>
        <translation>蒙版模式</translation>
    </message>
    <message>
        <source>Which part is drawn anew.</source>
        <translation>重绘哪一部分。</translation>
    </message>
    <message>
        <source>Inpaint masked</source>
        <translation>重绘蒙版内</translation>
    </message>
    <message>
        <source>Inpaint not masked</source>
        <translation>重绘蒙版外</translation>
    </message>
    <message>
        <source>Masked content</source>
        <translation>蒙版区域内容</translation>
    </message>
    <message>
        <source>What the masked part is filled with before drawing.</source>
        <translation>绘制前用什么填充蒙版区域。</translation>
    </message>
    <message>
        <source>Fill</source>
        <translation>填充</translation>
    </message>
    <message>
        <source>Latent noise</source>
        <translation>潜空间噪声</translation>
    </message>
    <message>
        <source>Latent nothing</source>
        <translation>潜空间空白</translation>
    </message>
    <message>
        <source>Only the masked area</source>
        <translation>仅蒙版区域</translation>
    </message>
    <message>
        <source>Draws the masked part alone at the full size and puts it back.</source>
        <translation>以完整尺寸单独绘制蒙版区域，再放回原处。</translation>
    </message>
    <message>
        <source>Padding</source>
        <translation>边距</translation>
    </message>
    <message>
        <source>How much of its surroundings that part sees.</source>
        <translation>该区域能看到周围多少像素。</translation>
    </message>
    <message>
        <source>Hard mask in the latents</source>
        <translation>潜空间硬蒙版</translation>
    </message>
    <message>
        <source>Off lets half-masked places be drawn half.</source>
        <translation>关闭后，半蒙版处按一半程度重绘。</translation>
    </message>
    <message>
        <source>Mask weight</source>
        <translation>蒙版权重</translation>
    </message>
    <message>
        <source>How far an inpainting model is kept from seeing what the mask covers.</source>
        <translation>重绘模型在多大程度上看不到蒙版遮住的内容。</translation>
    </message>
    <message>
        <source>Noise multiplier</source>
        <translation>噪声倍数</translation>
    </message>
    <message>
        <source>Scales the noise that is laid on the start.</source>
        <translation>缩放加在起始图片上的噪声。</translation>
    </message>
    <message>
        <source>Extra noise</source>
        <translation>额外噪声</translation>
    </message>
    <message>
        <source>Noise laid on beyond what the strength asks for.</source>
        <translation>在重绘强度之外再加的噪声。</translation>
    </message>
    <message>
        <source>Colours of the start picture</source>
        <translation>保持起始图片的颜色</translation>
    </message>
    <message>
        <source>The result gets the colours of the start picture back.</source>
        <translation>结果恢复起始图片的颜色。</translation>
    </message>
    <message>
        <source>Latent mask</source>
        <translation>潜空间蒙版</translation>
    </message>
    <message>
        <source>White is drawn anew in the latents, where that is not what the mask shows.</source>
        <translation>白色部分在潜空间中重绘，用于与蒙版不同的情况。</translation>
    </message>
    <message>
        <source>Soft inpainting</source>
        <translation>柔和重绘</translation>
    </message>
    <message>
        <source>Half-masked places are drawn half, and what hardly changed stays; wants a wide mask blur.</source>
        <translation>半遮罩的部分只重绘一半，几乎没有变化的部分保持原样；需要较大的蒙版模糊。</translation>
    </message>
    <message>
        <source>Schedule bias</source>
        <translation>时间偏置</translation>
    </message>
    <message>
        <source>Above 1 the start is kept early in the drawing, below 1 late.</source>
        <translation>大于 1 时在绘制前期保留原图，小于 1 时在后期保留。</translation>
    </message>
    <message>
        <source>Preservation strength</source>
        <translation>保留强度</translation>
    </message>
    <message>
        <source>How strongly half-masked places keep the start.</source>
        <translation>半遮罩的部分保留原图的程度。</translation>
    </message>
    <message>
        <source>Transition contrast boost</source>
        <translation>过渡对比度增强</translation>
    </message>
    <message>
        <source>Brings back the contrast that half-masked places lose.</source>
        <translation>补回半遮罩部分失去的对比度。</translation>
    </message>
    <message>
        <source>Mask influence</source>
        <translation>蒙版影响</translation>
    </message>
    <message>
        <source>How much the mask bends the difference threshold.</source>
        <translation>蒙版对差异阈值的影响程度。</translation>
    </message>
    <message>
        <source>Difference threshold</source>
        <translation>差异阈值</translation>
    </message>
    <message>
        <source>How much a place may change before its start is hidden.</source>
        <translation>变化超过多少时不再显示原图。</translation>
    </message>
    <message>
        <source>Difference contrast</source>
        <translation>差异对比度</translation>
    </message>
    <message>
        <source>How sharply what changed ends.</source>
        <translation>变化部分边缘的锐利程度。</translation>
    </message>
    <message>
        <source>Outpaint left</source>
        <translation>向左扩展</translation>
    </message>
    <message>
        <source>Outpaint right</source>
        <translation>向右扩展</translation>
    </message>
    <message>
        <source>Outpaint up</source>
        <translation>向上扩展</translation>
    </message>
    <message>
        <source>Outpaint down</source>
        <translation>向下扩展</translation>
    </message>
    <message>
        <source>How far the picture grows there; its width and height follow.</source>
        <translation>图片在该方向上扩展多少；宽度和高度随之改变。</translation>
    </message>
    <message>
        <source>Loopback</source>
        <translation>回送循环</translation>
    </message>
    <message>
        <source>How often the result becomes the start again; 0 draws once.</source>
        <translation>结果再次作为起始图的次数；0 表示只绘制一次。</translation>
    </message>
    <message>
        <source>Final denoising strength</source>
        <translation>最终重绘强度</translation>
    </message>
    <message>
        <source>That of the last loop.</source>
        <translation>最后一次循环的强度。</translation>
    </message>
    <message>
        <source>Denoising curve</source>
        <translation>重绘强度曲线</translation>
    </message>
    <message>
        <source>How the strength goes from the first loop to the last.</source>
        <translation>强度从第一次循环到最后一次的变化方式。</translation>
    </message>
    <message>
        <source>Aggressive</source>
        <translation>激进</translation>
    </message>
    <message>
        <source>Linear</source>
        <translation>线性</translation>
    </message>
    <message>
        <source>Lazy</source>
        <translation>平缓</translation>
    </message>
    <message>
        <source>Alternative noise</source>
        <translation>反推噪声</translation>
    </message>
    <message>
        <source>Searches in the start picture for the noise that it comes from, instead of drawing one.</source>
        <translation>不抽取新噪声，而是从起始图反推出它的噪声。</translation>
    </message>
    <message>
        <source>Decode prompt</source>
        <translation>反推提示词</translation>
    </message>
    <message>
        <source>What the start picture shows.</source>
        <translation>起始图的内容。</translation>
    </message>
    <message>
        <source>Decode negative prompt</source>
        <translation>反推反向提示词</translation>
    </message>
    <message>
        <source>What the start picture does not show.</source>
        <translation>起始图中没有的内容。</translation>
    </message>
    <message>
        <source>Decode CFG scale</source>
        <translation>反推 CFG</translation>
    </message>
    <message>
        <source>Guidance of the search; 2 or less is usual.</source>
        <translation>反推时的引导强度；通常不超过 2。</translation>
    </message>
    <message>
        <source>Decode steps</source>
        <translation>反推步数</translation>
    </message>
    <message>
        <source>Of the search.</source>
        <translation>反推所用的步数。</translation>
    </message>
    <message>
        <source>Randomness</source>
        <translation>随机度</translation>
    </message>
    <message>
        <source>The share of drawn noise in that which was found.</source>
        <translation>反推噪声中混入的随机噪声比例。</translation>
    </message>
    <message>
        <source>Sigma adjustment</source>
        <translation>Sigma 调整</translation>
    </message>
    <message>
        <source>Searches with each step&apos;s lower noise level, and leaves the noise its size.</source>
        <translation>每一步使用较低的噪声级别反推，并保持噪声的大小。</translation>
    </message>
    <message>
        <source>Exactly the steps asked for</source>
        <translation>严格按步数执行</translation>
    </message>
    <message>
        <source>Otherwise only the strength&apos;s share of them is made.</source>
        <translation>否则只执行与重绘强度相应的步数。</translation>
    </message>
    <message>
        <source>Hires fix</source>
        <translation>高清修复</translation>
    </message>
    <message>
        <source>Draws small first, then larger from there.</source>
        <translation>先画小图，再由此画大图。</translation>
    </message>
    <message>
        <source>VAE</source>
        <translation>VAE 自编码器</translation>
    </message>
    <message>
        <source>The autoencoder: the name of a file, Automatic for the one beside the checkpoint, None for its own.</source>
        <translation>自编码器：文件名；Automatic 用模型旁的文件；None 用模型自带的。</translation>
    </message>
    <message>
        <source>Refiner</source>
        <translation>精炼模型</translation>
    </message>
    <message>
        <source>A checkpoint that makes the last steps; empty is none.</source>
        <translation>完成最后几步的模型；留空则不用。</translation>
    </message>
    <message>
        <source>Refiner from</source>
        <translation>精炼起点</translation>
    </message>
    <message>
        <source>How far the noise must have gone before the refiner takes over: 1 is never.</source>
        <translation>噪声去除到何种程度后由精炼模型接手；1 为从不。</translation>
    </message>
    <message>
        <source>Hires checkpoint</source>
        <translation>高清模型</translation>
    </message>
    <message>
        <source>Draws the second pass; empty is the first pass&apos;s.</source>
        <translation>画第二遍的模型；留空则与第一遍相同。</translation>
    </message>
    <message>
        <source>Image CFG scale</source>
        <translation>图像 CFG 强度</translation>
    </message>
    <message>
        <source>How closely an editing model (instruct-pix2pix) keeps to the picture; 1.5 is usual.</source>
        <translation>编辑模型（instruct-pix2pix）贴近原图的程度；常用 1.5。</translation>
    </message>
    <message>
        <source>Hires sampler</source>
        <translation>高清采样器</translation>
    </message>
    <message>
        <source>Sampler of the second pass.</source>
        <translation>第二遍的采样器。</translation>
    </message>
    <message>
        <source>Hires prompt</source>
        <translation>高清提示词</translation>
    </message>
    <message>
        <source>Of the second pass; empty is the prompt.</source>
        <translation>第二遍使用；留空则用提示词。</translation>
    </message>
    <message>
        <source>Hires negative prompt</source>
        <translation>高清反向提示词</translation>
    </message>
    <message>
        <source>Of the second pass; empty is the negative prompt.</source>
        <translation>第二遍使用；留空则用反向提示词。</translation>
    </message>
    <message>
        <source>Hires schedule</source>
        <translation>高清噪声调度</translation>
    </message>
    <message>
        <source>Schedule of the second pass.</source>
        <translation>第二遍的噪声调度。</translation>
    </message>
    <message>
        <source>Hires factor</source>
        <translation>高清放大倍数</translation>
    </message>
    <message>
        <source>How much larger the second pass draws.</source>
        <translation>第二遍放大多少倍。</translation>
    </message>
    <message>
        <source>Hires width</source>
        <translation>高清宽度</translation>
    </message>
    <message>
        <source>Instead of the factor; 0 keeps the proportions.</source>
        <translation>代替放大倍数；0 保持比例。</translation>
    </message>
    <message>
        <source>Hires height</source>
        <translation>高清高度</translation>
    </message>
    <message>
        <source>Hires steps</source>
        <translation>高清步数</translation>
    </message>
    <message>
        <source>Of the second pass; 0 is as many as the first.</source>
        <translation>第二遍的步数；0 与第一遍相同。</translation>
    </message>
    <message>
        <source>Hires upscaler</source>
        <translation>高清放大算法</translation>
    </message>
    <message>
        <source>How the small picture or its latents are made larger.</source>
        <translation>小图或其潜变量如何放大。</translation>
    </message>
    <message>
        <source>Latent</source>
        <translation>潜空间</translation>
    </message>
    <message>
        <source>Latent (antialiased)</source>
        <translation>潜空间（抗锯齿）</translation>
    </message>
    <message>
        <source>Latent (bicubic)</source>
        <translation>潜空间（双三次）</translation>
    </message>
    <message>
        <source>Latent (bicubic antialiased)</source>
        <translation>潜空间（双三次抗锯齿）</translation>
    </message>
    <message>
        <source>Latent (nearest)</source>
        <translation>潜空间（最近邻）</translation>
    </message>
    <message>
        <source>Latent (nearest-exact)</source>
        <translation>潜空间（精确最近邻）</translation>
    </message>
    <message>
        <source>Lanczos</source>
        <translation>Lanczos</translation>
    </message>
    <message>
        <source>Nearest</source>
        <translation>最近邻</translation>
    </message>
    <message>
        <source>Use same sampler</source>
        <translation>使用相同采样器</translation>
    </message>
    <message>
        <source>Use same scheduler</source>
        <translation>使用相同调度</translation>
    </message>
    <message>
        <source>Both</source>
        <translation>两个方向</translation>
    </message>
    <message>
        <source>Across</source>
        <translation>横向</translation>
    </message>
    <message>
        <source>Down</source>
        <translation>纵向</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>On</source>
        <translation>开启</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Approx cheap</source>
        <translation>粗略</translation>
    </message>
    <message>
        <source>Full</source>
        <translation>完整</translation>
    </message>
</context>
<context>
    <name>sg::ui::GeneratePage</name>
    <message>
        <source>Interrupted</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>There is no model yet.</source>
        <translation>还没有模型。</translation>
    </message>
    <message>
        <source>Connecting…</source>
        <translation>正在连接…</translation>
    </message>
    <message>
        <source>No picture yet</source>
        <translation>还没有图片</translation>
    </message>
    <message>
        <source>Press Generate, or Ctrl+Enter in the form.</source>
        <translation>点击“生成”，或在表单中按 Ctrl+Enter。</translation>
    </message>
    <message>
        <source>No model yet</source>
        <translation>还没有模型</translation>
    </message>
    <message>
        <source>Pictures are drawn by a checkpoint: a .safetensors file.</source>
        <translation>图片由检查点绘制，它是一个 .safetensors 文件。</translation>
    </message>
    <message>
        <source>Add a model folder…</source>
        <translation>添加模型文件夹…</translation>
    </message>
    <message>
        <source>Connecting to the server…</source>
        <translation>正在连接服务器…</translation>
    </message>
    <message>
        <source>%1 has no parameters in it.</source>
        <translation>%1 中没有参数。</translation>
    </message>
    <message>
        <source>Parameters taken from %1</source>
        <translation>已从 %1 读取参数</translation>
    </message>
    <message>
        <source>The picture is the start of image to image</source>
        <translation>此图片已成为图生图的起始图片</translation>
    </message>
    <message>
        <source>The model %1 is missing.</source>
        <translation>缺少模型 %1。</translation>
    </message>
</context>
<context>
    <name>sg::ui::GenerationQueue</name>
    <message>
        <source>The server does not know the task any more. It may have been started with another data folder.</source>
        <translation>服务器已不认识这个任务。它可能以另一个数据文件夹重新启动了。</translation>
    </message>
    <message>
        <source>The server does not tell this window of the task any more (%1).</source>
        <translation>服务器不再告诉本窗口这个任务的情况（%1）。</translation>
    </message>
</context>
<context>
    <name>sg::ui::LogModel</name>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Level</source>
        <translation>级别</translation>
    </message>
    <message>
        <source>Part</source>
        <translation>部分</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Debug</source>
        <translation>调试</translation>
    </message>
    <message>
        <source>Info</source>
        <translation>信息</translation>
    </message>
    <message>
        <source>Warning</source>
        <translation>警告</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>错误</translation>
    </message>
</context>
<context>
    <name>sg::ui::LogPage</name>
    <message>
        <source>Filter lines</source>
        <translation>筛选日志</translation>
    </message>
    <message>
        <source>Least level</source>
        <translation>最低级别</translation>
    </message>
    <message>
        <source>Everything</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Information and above</source>
        <translation>信息及以上</translation>
    </message>
    <message>
        <source>Warnings and errors</source>
        <translation>警告和错误</translation>
    </message>
    <message>
        <source>Errors only</source>
        <translation>仅错误</translation>
    </message>
    <message>
        <source>Follow</source>
        <translation>跟随</translation>
    </message>
    <message>
        <source>Scrolls to each new line.</source>
        <translation>自动滚动到新的一行。</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy lines</source>
        <translation>复制日志</translation>
    </message>
    <message>
        <source>Copies the selected lines, or all that are shown.</source>
        <translation>复制选中的行；未选中时复制显示的所有行。</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>保存…</translation>
    </message>
    <message>
        <source>Save lines</source>
        <translation>保存日志行</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>日志</translation>
    </message>
    <message>
        <source>Save log</source>
        <translation>保存日志</translation>
    </message>
    <message>
        <source>Text (*.log *.txt)</source>
        <translation>文本 (*.log *.txt)</translation>
    </message>
    <message>
        <source>Saved as %1</source>
        <translation>已保存为 %1</translation>
    </message>
    <message>
        <source>%1 cannot be written.</source>
        <translation>无法写入 %1。</translation>
    </message>
</context>
<context>
    <name>sg::ui::MainWindow</name>
    <message>
        <source>Serigraph</source>
        <translation>Serigraph</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>服务器</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>日志</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>Add model &amp;folder…</source>
        <translation>添加模型文件夹(&amp;F)…</translation>
    </message>
    <message>
        <source>Add &amp;model file…</source>
        <translation>添加模型文件(&amp;M)…</translation>
    </message>
    <message>
        <source>&amp;Save picture…</source>
        <translation>保存图片(&amp;S)…</translation>
    </message>
    <message>
        <source>&amp;Open output folder</source>
        <translation>打开输出文件夹(&amp;O)</translation>
    </message>
    <message>
        <source>&amp;Quit</source>
        <translation>退出(&amp;Q)</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>&amp;API of this server</source>
        <translation>本服务器的 API(&amp;A)</translation>
    </message>
    <message>
        <source>A&amp;bout Serigraph</source>
        <translation>关于 Serigraph(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>&amp;Generate</source>
        <translation>生成(&amp;G)</translation>
    </message>
    <message>
        <source>&amp;Models</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>&amp;Server</source>
        <translation>服务器(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Log</source>
        <translation>日志(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Theme</source>
        <translation>主题(&amp;T)</translation>
    </message>
    <message>
        <source>As the &amp;system</source>
        <translation>跟随系统(&amp;S)</translation>
    </message>
    <message>
        <source>&amp;Light</source>
        <translation>浅色(&amp;L)</translation>
    </message>
    <message>
        <source>&amp;Dark</source>
        <translation>深色(&amp;D)</translation>
    </message>
    <message>
        <source>Save a picture first: its folder is opened then.</source>
        <translation>请先保存一张图片，然后才能打开它的文件夹。</translation>
    </message>
    <message>
        <source>The folder %1 cannot be opened here.</source>
        <translation>无法在此打开文件夹 %1。</translation>
    </message>
    <message>
        <source>&lt;h3&gt;Serigraph %1&lt;/h3&gt;&lt;p&gt;Stable Diffusion on your own machine: a window, a server and an engine.&lt;/p&gt;&lt;p&gt;Free software under the GNU General Public License, version 3 or later.&lt;/p&gt;</source>
        <translation>&lt;h3&gt;Serigraph %1&lt;/h3&gt;&lt;p&gt;在您自己的电脑上运行 Stable Diffusion：窗口、服务器和引擎。&lt;/p&gt;&lt;p&gt;自由软件，采用 GNU 通用公共许可证第 3 版或更高版本。&lt;/p&gt;</translation>
    </message>
    <message>
        <source>About Serigraph</source>
        <translation>关于 Serigraph</translation>
    </message>
</context>
<context>
    <name>sg::ui::MessageBar</name>
    <message>
        <source>Close message</source>
        <translation>关闭消息</translation>
    </message>
</context>
<context>
    <name>sg::ui::ModelChooser</name>
    <message>
        <source>No model yet</source>
        <translation>还没有模型</translation>
    </message>
    <message>
        <source>%1 (missing)</source>
        <translation>%1（缺少）</translation>
    </message>
    <message>
        <source>%1 is not in the model folders now. It is used again when it is back.</source>
        <translation>%1 现在不在模型文件夹里。它回来后会再次使用。</translation>
    </message>
</context>
<context>
    <name>sg::ui::ModelsModel</name>
    <message>
        <source>Read as you chose, not as the file says</source>
        <translation>按您的选择读取，而非按文件内容</translation>
    </message>
    <message>
        <source>Checkpoint</source>
        <translation>检查点</translation>
    </message>
    <message>
        <source>VAE</source>
        <translation>VAE</translation>
    </message>
    <message>
        <source>LoRA</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>ControlNet</source>
        <translation>ControlNet</translation>
    </message>
    <message>
        <source>Upscaler</source>
        <translation>放大模型</translation>
    </message>
    <message>
        <source>Embedding</source>
        <translation>嵌入</translation>
    </message>
    <message>
        <source>Face restorer</source>
        <translation>人脸修复</translation>
    </message>
    <message>
        <source>Preview decoder</source>
        <translation>预览解码器</translation>
    </message>
    <message>
        <source>Unknown</source>
        <translation>未知</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>读取中</translation>
    </message>
    <message>
        <source>Loading</source>
        <translation>加载中</translation>
    </message>
    <message>
        <source>In memory</source>
        <translation>已在内存</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Deleted</source>
        <translation>已删除</translation>
    </message>
    <message>
        <source>Unusable</source>
        <translation>不可用</translation>
    </message>
    <message>
        <source>inpainting</source>
        <translation>局部重绘</translation>
    </message>
    <message>
        <source>editing</source>
        <translation>按指令编辑</translation>
    </message>
    <message>
        <source>refiner</source>
        <translation>精修</translation>
    </message>
    <message>
        <source>v prediction</source>
        <translation>v 预测</translation>
    </message>
    <message>
        <source>zero terminal SNR</source>
        <translation>零终端信噪比</translation>
    </message>
    <message>
        <source>Unusable: %1</source>
        <translation>不可用：%1</translation>
    </message>
    <message>
        <source>Not hashed yet</source>
        <translation>尚未计算哈希</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>大小</translation>
    </message>
    <message>
        <source>Hash</source>
        <translation>哈希</translation>
    </message>
    <message>
        <source>Family</source>
        <translation>系列</translation>
    </message>
    <message>
        <source>Status</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>文件夹</translation>
    </message>
</context>
<context>
    <name>sg::ui::ModelsPage</name>
    <message>
        <source>Read as</source>
        <translation>读取为</translation>
    </message>
    <message>
        <source>Where what was told from the file is wrong: its family, what it predicts, which weights</source>
        <translation>当从文件判断的结果有误时使用：系列、预测类型、所用权重</translation>
    </message>
    <message>
        <source>No models yet</source>
        <translation>还没有模型</translation>
    </message>
    <message>
        <source>Add the folder where your .safetensors files are, or drop it here. Folders of A1111 and ComfyUI work as they are; nothing is changed in them.</source>
        <translation>添加 .safetensors 文件所在的文件夹，或把它拖到这里。A1111 和 ComfyUI 的文件夹可以直接使用，其中的内容不会被更改。</translation>
    </message>
    <message>
        <source>Add a model folder…</source>
        <translation>添加模型文件夹…</translation>
    </message>
    <message>
        <source>Filter by name, folder, family or hash</source>
        <translation>按名称、文件夹、系列或哈希筛选</translation>
    </message>
    <message>
        <source>Filter models</source>
        <translation>筛选模型</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>All types</source>
        <translation>所有类型</translation>
    </message>
    <message>
        <source>Add folder…</source>
        <translation>添加文件夹…</translation>
    </message>
    <message>
        <source>Add file…</source>
        <translation>添加文件…</translation>
    </message>
    <message>
        <source>Rescan</source>
        <translation>重新扫描</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Scanning</source>
        <translation>扫描</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Use for generation</source>
        <translation>用于生成</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>Remove from the list</source>
        <translation>从列表中移除</translation>
    </message>
    <message numerus="yes">
        <source>%n folder(s)</source>
        <translation>
            <numerusform>%n 个文件夹</numerusform>
        </translation>
    </message>
    <message>
        <source>Model folders</source>
        <translation>模型文件夹</translation>
    </message>
    <message numerus="yes">
        <source>%n model(s)</source>
        <translation>
            <numerusform>%n 个模型</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%1 of %n model(s)</source>
        <translation>
            <numerusform>%n 个模型中的 %1 个</numerusform>
        </translation>
    </message>
    <message>
        <source>Scanning… %1</source>
        <translation>正在扫描… %1</translation>
    </message>
    <message>
        <source>The folder %1 cannot be opened here.</source>
        <translation>无法在此打开文件夹 %1。</translation>
    </message>
    <message>
        <source>Add a model folder</source>
        <translation>添加模型文件夹</translation>
    </message>
    <message>
        <source>Add a model file</source>
        <translation>添加模型文件</translation>
    </message>
    <message>
        <source>Models (*.safetensors);;All files (*)</source>
        <translation>模型 (*.safetensors);;所有文件 (*)</translation>
    </message>
</context>
<context>
    <name>sg::ui::NavRail</name>
    <message>
        <source>Pages</source>
        <translation>页面</translation>
    </message>
</context>
<context>
    <name>sg::ui::ParamForm</name>
    <message>
        <source>Swap width and height</source>
        <translation>交换宽度和高度</translation>
    </message>
    <message>
        <source>More options</source>
        <translation>更多选项</translation>
    </message>
    <message>
        <source>Image to image</source>
        <translation>图生图</translation>
    </message>
    <message>
        <source>Hires fix</source>
        <translation>高清修复</translation>
    </message>
</context>
<context>
    <name>sg::ui::PictureField</name>
    <message>
        <source>Choose: %1</source>
        <translation>选择：%1</translation>
    </message>
    <message>
        <source>Choose a file, drop a picture here, or paste one</source>
        <translation>选择文件、将图片拖到这里，或粘贴图片</translation>
    </message>
    <message>
        <source>Remove: %1</source>
        <translation>移除：%1</translation>
    </message>
    <message>
        <source>Remove the picture</source>
        <translation>移除图片</translation>
    </message>
    <message>
        <source>%1
%2 × %3 pixels</source>
        <translation>%1
%2 × %3 像素</translation>
    </message>
    <message>
        <source>None: choose, drop or paste one</source>
        <translation>无：选择、拖入或粘贴图片</translation>
    </message>
    <message>
        <source>%1 is not a PNG, JPEG or WebP picture.</source>
        <translation>%1 不是 PNG、JPEG 或 WebP 图片。</translation>
    </message>
    <message>
        <source>Choose a picture</source>
        <translation>选择图片</translation>
    </message>
    <message>
        <source>Pictures (*.png *.jpg *.jpeg *.webp)</source>
        <translation>图片 (*.png *.jpg *.jpeg *.webp)</translation>
    </message>
    <message>
        <source>Pasted picture</source>
        <translation>粘贴的图片</translation>
    </message>
    <message>
        <source>Dropped picture</source>
        <translation>拖入的图片</translation>
    </message>
</context>
<context>
    <name>sg::ui::PicturePanel</name>
    <message>
        <source>Zoom out</source>
        <translation>缩小</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>Fit into the window</source>
        <translation>适合窗口</translation>
    </message>
    <message>
        <source>One to one</source>
        <translation>原始大小</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>保存…</translation>
    </message>
    <message>
        <source>Copy picture</source>
        <translation>复制图片</translation>
    </message>
    <message>
        <source>Copy parameters</source>
        <translation>复制参数</translation>
    </message>
    <message>
        <source>Pictures of this session</source>
        <translation>本次会话的图片</translation>
    </message>
    <message>
        <source>Save picture</source>
        <translation>保存图片</translation>
    </message>
    <message>
        <source>PNG pictures (*.png)</source>
        <translation>PNG 图片 (*.png)</translation>
    </message>
    <message>
        <source>Saved as %1</source>
        <translation>已保存为 %1</translation>
    </message>
    <message>
        <source>The picture was copied</source>
        <translation>图片已复制</translation>
    </message>
    <message>
        <source>The parameters were copied</source>
        <translation>参数已复制</translation>
    </message>
    <message>
        <source>To image to image</source>
        <translation>发送到图生图</translation>
    </message>
</context>
<context>
    <name>sg::ui::PictureView</name>
    <message>
        <source>Picture</source>
        <translation>图片</translation>
    </message>
</context>
<context>
    <name>sg::ui::ProgressPanel</name>
    <message>
        <source>Generate</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Interrupt</source>
        <translation>中断</translation>
    </message>
    <message>
        <source>All</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Draws the picture (Ctrl+Enter). While one is drawn, the next one waits in line.</source>
        <translation>绘制图片 (Ctrl+Enter)。正在绘制时，下一张会排队等待。</translation>
    </message>
    <message>
        <source>Ends the picture that is drawn now (Esc).</source>
        <translation>结束正在绘制的图片 (Esc)。</translation>
    </message>
    <message>
        <source>Interrupt all</source>
        <translation>全部中断</translation>
    </message>
    <message>
        <source>Ends the picture that is drawn now and those that wait (Shift+Esc).</source>
        <translation>结束正在绘制和等待中的所有图片 (Shift+Esc)。</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>进度</translation>
    </message>
    <message numerus="yes">
        <source>Waiting: %n before it</source>
        <translation>
            <numerusform>等待中：前面还有 %n 个</numerusform>
        </translation>
    </message>
    <message>
        <source>Loading the model: %1 %</source>
        <translation>正在加载模型：%1 %</translation>
    </message>
    <message>
        <source>Making the networks…</source>
        <translation>正在构建网络…</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在开始…</translation>
    </message>
    <message>
        <source>Step %1 of %2</source>
        <translation>第 %1 步，共 %2 步</translation>
    </message>
    <message>
        <source>%1 left</source>
        <translation>剩余 %1</translation>
    </message>
    <message numerus="yes">
        <source>Generate (%n waiting)</source>
        <translation>
            <numerusform>生成（%n 个等待）</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>sg::ui::PromptEdit</name>
    <message>
        <source>This prompt cannot be read</source>
        <translation>无法读取此提示词</translation>
    </message>
    <message>
        <source>%1/%2 tokens</source>
        <translation>%1/%2 词元</translation>
    </message>
    <message numerus="yes">
        <source>The prompt is read in %n part(s) of 75 tokens each.</source>
        <translation>
            <numerusform>提示词分为 %n 段读取，每段 75 个词元。</numerusform>
        </translation>
    </message>
    <message>
        <source>Words are cut into tokens; 75 are read together.</source>
        <translation>词语被切分为词元，每次读取 75 个。</translation>
    </message>
</context>
<context>
    <name>sg::ui::ResultList</name>
    <message>
        <source>Picture %1: %2</source>
        <translation>图片 %1：%2</translation>
    </message>
</context>
<context>
    <name>sg::ui::SeedField</name>
    <message>
        <source>Keep the seed</source>
        <translation>保留种子</translation>
    </message>
    <message>
        <source>Another seed</source>
        <translation>换一个种子</translation>
    </message>
    <message>
        <source>Takes another random seed and keeps it.</source>
        <translation>取另一个随机种子并保留它。</translation>
    </message>
    <message>
        <source>Seed of the picture shown</source>
        <translation>所示图片的种子</translation>
    </message>
    <message>
        <source>Takes the seed of the picture shown.</source>
        <translation>使用所示图片的种子。</translation>
    </message>
    <message>
        <source>The seed is kept. Open the lock for a new one with each picture.</source>
        <translation>种子已锁定。打开锁后，每张图片使用新的种子。</translation>
    </message>
    <message>
        <source>Each picture takes a new seed. Close the lock to keep one.</source>
        <translation>每张图片使用新的种子。锁上可保留同一个种子。</translation>
    </message>
</context>
<context>
    <name>sg::ui::ServerPage</name>
    <message>
        <source>Server for other programs</source>
        <translation>供其他程序使用的服务器</translation>
    </message>
    <message>
        <source>Programs that speak the API of A1111 or of Serigraph can draw pictures here. This window does not need it.</source>
        <translation>使用 A1111 或 Serigraph API 的程序可以在这里绘图。本窗口不需要它。</translation>
    </message>
    <message>
        <source>Listen</source>
        <translation>监听</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>地址</translation>
    </message>
    <message>
        <source>127.0.0.1 is reached from this computer only, 0.0.0.0 from every network it is in.</source>
        <translation>127.0.0.1 只能从本机访问，0.0.0.0 可从本机所在的所有网络访问。</translation>
    </message>
    <message>
        <source>a free one</source>
        <translation>空闲端口</translation>
    </message>
    <message>
        <source>Port</source>
        <translation>端口</translation>
    </message>
    <message>
        <source>0 takes a free port.</source>
        <translation>0 表示使用一个空闲端口。</translation>
    </message>
    <message>
        <source>Everyone who reaches this address can draw pictures, see those of others and fill the disk: there is no login yet.</source>
        <translation>任何能访问此地址的人都可以绘图、查看他人的图片并占满磁盘：目前还没有登录功能。</translation>
    </message>
    <message>
        <source>Requests answered</source>
        <translation>已应答的请求</translation>
    </message>
    <message>
        <source>URL</source>
        <translation>URL</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy URL</source>
        <translation>复制 URL</translation>
    </message>
    <message>
        <source>Try it in a terminal</source>
        <translation>在终端中试试</translation>
    </message>
    <message>
        <source>Copy example</source>
        <translation>复制示例</translation>
    </message>
    <message>
        <source>Example command</source>
        <translation>示例命令</translation>
    </message>
    <message>
        <source>listening</source>
        <translation>监听中</translation>
    </message>
    <message>
        <source>off</source>
        <translation>已关闭</translation>
    </message>
    <message>
        <source>%1 can be reached from other computers, and there is no login yet.</source>
        <translation>其他电脑可以访问 %1，而目前还没有登录功能。</translation>
    </message>
    <message>
        <source>Listen anyway</source>
        <translation>仍然监听</translation>
    </message>
</context>
<context>
    <name>sg::ui::StatusLine</name>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Rate</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>服务器</translation>
    </message>
    <message>
        <source>no model</source>
        <translation>没有模型</translation>
    </message>
    <message>
        <source>Model: %1</source>
        <translation>模型：%1</translation>
    </message>
    <message>
        <source>no connection</source>
        <translation>未连接</translation>
    </message>
    <message>
        <source>engine ready</source>
        <translation>引擎就绪</translation>
    </message>
    <message>
        <source>engine starting</source>
        <translation>引擎启动中</translation>
    </message>
    <message>
        <source>nothing queued</source>
        <translation>队列为空</translation>
    </message>
    <message numerus="yes">
        <source>%n queued</source>
        <translation>
            <numerusform>%n 个排队</numerusform>
        </translation>
    </message>
    <message>
        <source>server on</source>
        <translation>服务器开启</translation>
    </message>
    <message>
        <source>server off</source>
        <translation>服务器关闭</translation>
    </message>
    <message>
        <source>Other programs cannot connect.</source>
        <translation>其他程序无法连接。</translation>
    </message>
</context>
</TS>
