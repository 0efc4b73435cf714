namespace Mcp.HighAvailability.Redis;

/// <summary>The scripts of tasks. Each runs as one step on keys of one hash slot: those of one task, or those of the index of all tasks.</summary>
/// <remarks>
/// KEYS of a task: 1 record, 2 inputs, 3 checkpoints. The clock is that of Redis, in Unix milliseconds. Times have more digits than Lua prints by default,
/// so they are formatted.
/// </remarks>
internal static class RedisTaskScripts
{
    /// <summary>Fields of the record that <see cref="RedisTaskRecord.ReadView"/> reads, in this order.</summary>
    private const string ViewFields = "'status','message','created','updated','ttl','poll','user','owner','epoch','version','outcome','listened'";

    private const string Now = """
        local t=redis.call('TIME')
        local now=t[1]*1000+math.floor(t[2]/1000)
        local function stamp(n) return string.format('%.0f',n) end

        """;

    private const string Ended = """
        local function ended(status) return status=='completed' or status=='failed' or status=='cancelled' end

        """;

    private const string View = $$"""
        local function view()
          local r=redis.call('HMGET',KEYS[1],{{ViewFields}})
          if not r[1] then
            if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
            return 0
          end
          return {r,redis.call('HGETALL',KEYS[2])}
        end

        """;

    // Renews the time to live when half of it is over, or the task ends; then all keys live as long as the record says.
    private const string Renew = """
        local function renew(created,ttl,life,force)
          local left=created+ttl-now
          if force or left<life/2 then
            ttl=now-created+life
            left=life
            redis.call('HSET',KEYS[1],'ttl',stamp(ttl))
          end
          left=math.max(1,left)
          for k=1,3 do redis.pcall('PEXPIRE',KEYS[k],stamp(left)) end
        end

        """;

    private const string Close = """
        local function close(status,outcome)
          redis.call('HSET',KEYS[1],'status',status,'outcome',outcome)
          redis.call('HDEL',KEYS[1],'request','identity','open')
          redis.call('DEL',KEYS[2],KEYS[3])
        end

        """;

    private const string Changed = """
        local function changed()
          redis.call('HSET',KEYS[1],'updated',stamp(now))
          redis.call('HINCRBY',KEYS[1],'version',1)
        end

        """;

    /// <summary>An id belongs to one task. A second attempt to create it learns from the field <c>by</c> that another one was first.</summary>
    /// <remarks>ARGV: 1 lifetime, 2 name of the attempt, then field and value of the record. Answers {attempt, view}.</remarks>
    public const string Create = Now + View + """
        if redis.call('EXISTS',KEYS[1])==0 then
          redis.call('DEL',KEYS[2],KEYS[3])
          for i=3,#ARGV,2 do redis.call('HSET',KEYS[1],ARGV[i],ARGV[i+1]) end
          redis.call('HSET',KEYS[1],'status','working','created',stamp(now),'updated',stamp(now),'ttl',ARGV[1],'life',ARGV[1],
            'epoch','1','version','1','losses','0','open','0','by',ARGV[2])
          redis.call('PEXPIRE',KEYS[1],ARGV[1])
        end
        return {redis.call('HGET',KEYS[1],'by'),view()}
        """;

    /// <summary>A write-back replaces what is missing or of an older epoch, and nothing else.</summary>
    /// <remarks>
    /// ARGV: 1 epoch, 2 owner, 3 lifetime, 4 to 6 counts of fields, inputs and checkpoints, then those. Answers 1 the store has it, 2 ended, and the
    /// name of the owner when it is fenced.
    /// </remarks>
    public const string WriteBack = Now + Ended + """
        if redis.call('EXISTS',KEYS[1])==1 then
          local r=redis.call('HMGET',KEYS[1],'epoch','owner','status')
          local epoch,mine=tonumber(r[1]),tonumber(ARGV[1])
          if not epoch then return redis.error_reply('GARBAGE record') end
          if ended(r[3]) then return 2 end
          if epoch>mine or (epoch==mine and r[2]~=ARGV[2]) then return r[2] end
          if epoch==mine then return 1 end
        end
        redis.call('DEL',KEYS[1],KEYS[2],KEYS[3])
        local i=7
        for k=1,3 do
          for _=1,tonumber(ARGV[3+k]) do
            redis.call('HSET',KEYS[k],ARGV[i],ARGV[i+1])
            i=i+2
          end
        end
        local created=tonumber(redis.call('HGET',KEYS[1],'created'))
        redis.call('HSET',KEYS[1],'ttl',stamp(now-created+tonumber(ARGV[3])))
        for k=1,3 do redis.pcall('PEXPIRE',KEYS[k],ARGV[3]) end
        return 1
        """;

    /// <summary>A client that listens is noted while the task goes on.</summary>
    /// <remarks>ARGV: 1 user.</remarks>
    public const string Listen = Ended + View + """
        local r=redis.call('HMGET',KEYS[1],'status','user')
        if not r[1] or (r[2]~='' and r[2]~=ARGV[1]) then return 0 end
        if not ended(r[1]) then redis.call('HSET',KEYS[1],'listened','1') end
        return view()
        """;

    /// <summary>Reading changes nothing.</summary>
    public const string Read = View + """
        return view()
        """;

    /// <summary>A change is applied by the current epoch only, wholly, and never to a task that has ended.</summary>
    /// <remarks>
    /// ARGV: 1 epoch, 2 final status (empty: goes on), 3 outcome, 4 1 to release, 5 1 and 6 a new message, 7 count of inputs, 8 count of state changes,
    /// then key and request of each input, then the changes. Answers {1, owner, 1 if it is listened to} committed, {0} fenced, {2} ended, {-1} lost.
    /// </remarks>
    public const string Commit = Now + Ended + Renew + Close + Changed + "local i=9\n" + RedisScripts.Change + """
        local r=redis.call('HMGET',KEYS[1],'epoch','status','created','ttl','life','owner','listened')
        if not r[1] then
          if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
          return {-1}
        end
        local epoch=tonumber(r[1])
        if not epoch then return redis.error_reply('GARBAGE record') end
        if epoch<tonumber(ARGV[1]) then return {-1} end
        if ended(r[2]) then return {2} end
        if epoch>tonumber(ARGV[1]) then return {0} end
        if ARGV[5]=='1' then redis.call('HSET',KEYS[1],'message',ARGV[6]) end
        local open=false
        for _=1,tonumber(ARGV[7]) do
          if redis.call('HSETNX',KEYS[2],'q:'..ARGV[i],ARGV[i+1])==1 then open=redis.call('HINCRBY',KEYS[1],'open',1) end
          i=i+2
        end
        change(KEYS[3],'',tonumber(ARGV[8]))
        if ARGV[4]=='1' then
          redis.call('HSET',KEYS[1],'owner','*')
          redis.call('HINCRBY',KEYS[1],'epoch',1)
        end
        if ARGV[2]~='' then
          close(ARGV[2],ARGV[3])
        elseif open then
          redis.call('HSET',KEYS[1],'status','input_required')
        end
        if ARGV[2]~='' or ARGV[4]=='1' or ARGV[5]=='1' or #ARGV>8 then changed() end
        renew(tonumber(r[3]),tonumber(r[4]),tonumber(r[5]),ARGV[2]~='')
        return {1,r[6],r[7] or '0'}
        """;

    /// <summary>A question gets the first answer that comes; all others change nothing.</summary>
    /// <remarks>ARGV: 1 user, then key and answer.</remarks>
    public const string Answer = Now + Ended + View + Changed + """
        local r=redis.call('HMGET',KEYS[1],'status','user')
        if not r[1] or (r[2]~='' and r[2]~=ARGV[1]) then return 0 end
        if not ended(r[1]) then
          local any=false
          for i=2,#ARGV,2 do
            if redis.call('HEXISTS',KEYS[2],'q:'..ARGV[i])==1 and redis.call('HSETNX',KEYS[2],'a:'..ARGV[i],ARGV[i+1])==1 then
              any=true
              if redis.call('HINCRBY',KEYS[1],'open',-1)<=0 then redis.call('HSET',KEYS[1],'status','working') end
            end
          end
          if any then changed() end
        end
        return view()
        """;

    /// <summary>The first terminal state wins; the epoch of the owner is over.</summary>
    /// <remarks>ARGV: 1 user.</remarks>
    public const string Cancel = Now + Ended + View + Renew + Close + Changed + """
        local r=redis.call('HMGET',KEYS[1],'status','user','created','ttl','life')
        if not r[1] or (r[2]~='' and r[2]~=ARGV[1]) then return 0 end
        if not ended(r[1]) then
          redis.call('HINCRBY',KEYS[1],'epoch',1)
          close('cancelled','')
          changed()
          renew(tonumber(r[3]),tonumber(r[4]),tonumber(r[5]),true)
        end
        return view()
        """;

    /// <summary>Makes a replica the owner if it names the present owner.</summary>
    /// <remarks>
    /// ARGV: 1 present owner, 2 next owner. Answers the view, the fields of the beginning, and the checkpoints; the name of the owner of a task that
    /// has another
    /// one; 0 if there is none.
    /// </remarks>
    public const string Claim = Now + Ended + View + Renew + Changed + """
        local r=redis.call('HMGET',KEYS[1],'status','owner','created','ttl','life')
        if not r[1] or ended(r[1]) then return 0 end
        if r[2]~=ARGV[1] then return r[2] end
        redis.call('HSET',KEYS[1],'owner',ARGV[2])
        redis.call('HINCRBY',KEYS[1],'epoch',1)
        if ARGV[1]~='*' then redis.call('HINCRBY',KEYS[1],'losses',1) end
        changed()
        renew(tonumber(r[3]),tonumber(r[4]),tonumber(r[5]),false)
        return {view(),redis.call('HMGET',KEYS[1],'rerun','request','identity','trace','life','losses'),redis.call('HGETALL',KEYS[3])}
        """;

    /// <summary>A task has its place, within the quota, before its record is written; the same exchange gets one task.</summary>
    /// <remarks>
    /// KEYS: 1 kept, 2 users, 3 owners, 4 the owner's tasks, 5 the exchange. ARGV: 1 task, 2 user ('-': anonymous), 3 owner, 4 lifetime, 5 quota, 6 quota of
    /// the user, 7 milliseconds to remember the exchange ('0': none). Answers {1} admitted, {2, task} made before, {3} too many, {4} too many of the user.
    /// </remarks>
    public const string Admit = Now + """
        if ARGV[7]~='0' then
          local made=redis.call('GET',KEYS[5])
          if made then return {2,made} end
        end
        if redis.call('ZCARD',KEYS[1])>=tonumber(ARGV[5]) then return {3} end
        if ARGV[2]~='-' then
          if tonumber(redis.call('HGET',KEYS[2],ARGV[2]) or '0')>=tonumber(ARGV[6]) then return {4} end
          redis.call('HINCRBY',KEYS[2],ARGV[2],1)
        end
        redis.call('ZADD',KEYS[1],stamp(now+tonumber(ARGV[4])),ARGV[1]..' '..ARGV[2])
        redis.call('HSET',KEYS[4],ARGV[1],stamp(now))
        redis.call('HSET',KEYS[3],ARGV[3],'1')
        if ARGV[7]~='0' then redis.call('SET',KEYS[5],ARGV[1],'PX',ARGV[7]) end
        return {1}
        """;

    /// <summary>A task that is written back has its place again, without a quota.</summary>
    /// <remarks>KEYS: 1 kept, 2 users, 3 owners, 4 the owner's tasks. ARGV: 1 task, 2 user ('-': anonymous), 3 owner, 4 lifetime.</remarks>
    public const string Enter = Now + """
        local member=ARGV[1]..' '..ARGV[2]
        if not redis.call('ZSCORE',KEYS[1],member) then
          redis.call('ZADD',KEYS[1],stamp(now+tonumber(ARGV[4])),member)
          if ARGV[2]~='-' then redis.call('HINCRBY',KEYS[2],ARGV[2],1) end
        end
        redis.call('HSET',KEYS[4],ARGV[1],stamp(now))
        redis.call('HSET',KEYS[3],ARGV[3],'1')
        return 1
        """;

    /// <summary>A task is entered with its next owner before it becomes its. An entry holds the time at which it was made.</summary>
    /// <remarks>KEYS: 1 owners, 2 the owner's tasks. ARGV: 1 owner, 2 task.</remarks>
    public const string Own = Now + """
        redis.call('HSET',KEYS[2],ARGV[2],stamp(now))
        redis.call('HSET',KEYS[1],ARGV[1],'1')
        return 1
        """;

    /// <summary>An entry stays while the step that it was made for may be on its way. An owner without tasks is none.</summary>
    /// <remarks>KEYS: 1 owners, 2 the owner's tasks. ARGV: 1 owner, 2 task, 3 milliseconds that an entry stays ('0': none).</remarks>
    public const string Disown = Now + """
        if ARGV[3]~='0' and tonumber(redis.call('HGET',KEYS[2],ARGV[2]) or '0')>now-tonumber(ARGV[3]) then return 0 end
        redis.call('HDEL',KEYS[2],ARGV[2])
        if redis.call('EXISTS',KEYS[2])==0 then redis.call('HDEL',KEYS[1],ARGV[1]) end
        return 1
        """;

    /// <summary>Finds due tasks. One replica at a time gets them; another one gets them again if it dies.</summary>
    /// <remarks>KEYS: 1 kept. ARGV: 1 most, 2 lease in ms.</remarks>
    public const string Due = Now + """
        local due=redis.call('ZRANGEBYSCORE',KEYS[1],'-inf',stamp(now),'LIMIT','0',ARGV[1])
        for i=1,#due do redis.call('ZADD',KEYS[1],stamp(now+tonumber(ARGV[2])),due[i]) end
        return due
        """;

    /// <summary>A place is given back once. A task that lives on keeps it.</summary>
    /// <remarks>KEYS: 1 kept, 2 users. ARGV: member, user, and milliseconds that the task lives on ('0': it has expired), for each.</remarks>
    public const string Settle = Now + """
        for i=1,#ARGV,3 do
          if ARGV[i+2]~='0' then
            if redis.call('ZSCORE',KEYS[1],ARGV[i]) then redis.call('ZADD',KEYS[1],stamp(now+tonumber(ARGV[i+2])),ARGV[i]) end
          elseif redis.call('ZREM',KEYS[1],ARGV[i])==1 and ARGV[i+1]~='-' then
            if redis.call('HINCRBY',KEYS[2],ARGV[i+1],-1)<=0 then redis.call('HDEL',KEYS[2],ARGV[i+1]) end
          end
        end
        return 1
        """;
}
