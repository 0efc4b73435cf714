namespace McpHa.HighAvailability.Redis;

/// <summary>
/// The scripts. Each runs as one step on keys of one hash slot. Those that write a session answer 1 committed, 0 fenced, -1 lost,
/// as <c>CommitResult</c> documents them; a record that cannot be understood is the error <c>GARBAGE</c>.
/// </summary>
/// <remarks>
/// KEYS of a session: 1 record, 2 journal, 3 calls, 4 state. Redis does not roll a script back, so what can be refused is
/// refused before the first write; that includes XADD, which comes first and refuses positions that go back.
/// </remarks>
internal static class RedisScripts
{
    /// <summary>The error of a script that finds something that nobody of us has written.</summary>
    public const string Garbage = "GARBAGE";

    // Passes only for the current epoch, ARGV[1]. Leaves commit number, entries, bytes and owner in r[2] to r[5].
    private const string Fence = """
        local r=redis.call('HMGET',KEYS[1],'epoch','commit','entries','bytes','owner')
        if r[1]~=ARGV[1] then
          if redis.call('HEXISTS',KEYS[1],'ended')==1 then return 0 end
          if not r[1] then
            if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
            return -1
          end
          local epoch=tonumber(r[1])
          if not epoch then return redis.error_reply('GARBAGE record') end
          if epoch>tonumber(ARGV[1]) then return 0 end
          return -1
        end

        """;

    // Appends ARGV[n] entries of 6 arguments each, from ARGV[i]; counts them in entries and bytes.
    private const string AppendEntries = """
        for _=1,appends do
          redis.call('XADD',KEYS[2],ARGV[i]..'-0','stream',ARGV[i+1],'previous',ARGV[i+2],'answers',ARGV[i+3],'time',ARGV[i+4],'payload',ARGV[i+5])
          entries=entries+1
          bytes=bytes+#ARGV[i+5]
          i=i+6
        end

        """;

    // Applies changes of a table: field, 1, value sets; field, 0 removes.
    private const string Change = """
        local function change(key,prefix,changes)
          for _=1,changes do
            if ARGV[i+1]=='1' then
              redis.call('HSET',key,prefix..ARGV[i],ARGV[i+2])
              i=i+3
            else
              redis.call('HDEL',key,prefix..ARGV[i])
              i=i+2
            end
          end
        end

        """;

    /// <summary>An id belongs to one record; only that very record may be created again.</summary>
    /// <remarks>ARGV: lifetime, owner, epoch, created, then field and value of the record.</remarks>
    public const string Create = """
        if redis.call('EXISTS',KEYS[1])==1 then
          local r=redis.call('HMGET',KEYS[1],'owner','epoch','created')
          if r[1]==ARGV[2] and r[2]==ARGV[3] and r[3]==ARGV[4] then return 1 end
          return 0
        end
        redis.call('DEL',KEYS[2],KEYS[3],KEYS[4])
        for i=5,#ARGV,2 do redis.call('HSET',KEYS[1],ARGV[i],ARGV[i+1]) end
        redis.call('PEXPIRE',KEYS[1],ARGV[1])
        return 1
        """;

    /// <summary>A commit is applied under the current epoch only, wholly, once, and after all commits before it.</summary>
    /// <remarks>
    /// ARGV: 1 epoch, 2 number, 3 last position, 4 most entries, 5 most bytes, 6 lifetime, 7 owner (empty: any), 8 count of appends, then those. Most
    /// commits only append and end here, so that Redis has little to read. The others go on with: oldest time to keep on a touch
    /// (0: no touch), counts of removals, changes of calls, state and handshake, then those, and perhaps how long the last take-over took. Calls and state, KEYS 3 and 4, are
    /// given only if they are changed or touched. Trims a sixteenth below a bound that is passed, as <c>JournalTrimming</c> does.
    /// Answers -1 lost, 0 fenced, 1 and the number of trimmed entries committed.
    /// </remarks>
    public const string Commit = Fence + """
        if ARGV[7]~='' and ARGV[7]~=r[5] then return 0 end
        local n,entries,bytes=tonumber(r[2]),tonumber(r[3]),tonumber(r[4])
        if not (n and entries and bytes) then return redis.error_reply('GARBAGE record') end
        local number=tonumber(ARGV[2])
        if number<=n then return 1 end
        if number>n+1 then return -1 end

        local appends,i=tonumber(ARGV[8]),9
        local fresh=entries==0 and appends>0

        """ + AppendEntries + """
        if fresh then redis.call('PEXPIRE',KEYS[2],ARGV[6]) end

        local oldest=0
        if i<=#ARGV then
          oldest=tonumber(ARGV[i])
          local removals,calls,state,handshake=tonumber(ARGV[i+1]),tonumber(ARGV[i+2]),tonumber(ARGV[i+3]),tonumber(ARGV[i+4])
          i=i+5
          for _=1,removals do
            local id=ARGV[i]..'-0'
            local found=redis.call('XRANGE',KEYS[2],id,id)[1]
            if found then
              redis.call('XDEL',KEYS[2],id)
              entries=entries-1
              bytes=bytes-#(found[2][10] or '')
            end
            i=i+1
          end

        """ + Change + """
          change(KEYS[3],'',calls)
          change(KEYS[4],'',state)
          change(KEYS[1],'h:',handshake)
          if calls>0 then redis.call('PEXPIRE',KEYS[3],ARGV[6]) end
          if state>0 then redis.call('PEXPIRE',KEYS[4],ARGV[6]) end
          if i<=#ARGV then
            local hops=redis.call('HGET',KEYS[1],'hops')
            if hops then redis.call('HSET',KEYS[1],'hops',(string.gsub(hops,'%-\n$',ARGV[i]..'\n'))) end
          end
        end

        local most,mostbytes,trimmed=tonumber(ARGV[4]),tonumber(ARGV[5]),0
        if oldest>0 or entries>most or bytes>mostbytes then
          local function trim(keep)
            while entries>1 do
              local page,ids=redis.call('XRANGE',KEYS[2],'-','+','COUNT',16),{}
              for _,entry in ipairs(page) do
                if entries<=1 or keep(entry[2]) then break end
                ids[#ids+1]=entry[1]
                entries=entries-1
                bytes=bytes-#(entry[2][10] or '')
              end
              if #ids>0 then redis.call('XDEL',KEYS[2],unpack(ids)) end
              trimmed=trimmed+#ids
              if #ids==0 or #ids<#page then return end
            end
          end
          if oldest>0 then
            trim(function(fields) return (tonumber(fields[8]) or 0)>=oldest end)
            for k=1,4 do redis.call('PEXPIRE',KEYS[k],ARGV[6]) end
          end
          if entries>most or bytes>mostbytes then
            local left,leftbytes=most-math.floor(most/16),mostbytes-math.floor(mostbytes/16)
            trim(function() return entries<=left and bytes<=leftbytes end)
          end
        end
        redis.call('HSET',KEYS[1],'position',ARGV[3],'commit',ARGV[2],'entries',entries,'bytes',bytes)
        return 1+trimmed
        """;

    /// <summary>Of all who saw an epoch one makes it one larger; the winner, also on repetition, reads all it needs in the same step.</summary>
    /// <remarks>ARGV: epoch seen, new owner, lifetime. Notes who had it, who has it, why and when, as <c>RedisHops</c> reads it. Answers {-1} unknown, {0, record} refused, {1, record, calls, journal, state} taken.</remarks>
    public const string TakeOver = """
        local r=redis.call('HMGET',KEYS[1],'epoch','owner','ended')
        if r[3] then return {-1} end
        local epoch,seen=tonumber(r[1]),tonumber(ARGV[1])
        if not epoch then
          if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
          return {-1}
        end
        if epoch~=seen and (epoch~=seen+1 or r[2]~=ARGV[2]) then return {0,redis.call('HGETALL',KEYS[1])} end
        local calls,journal,state=redis.call('HGETALL',KEYS[3]),redis.call('XRANGE',KEYS[2],'-','+'),redis.call('HGETALL',KEYS[4])
        if epoch==seen then
          local t,owner=redis.call('TIME'),r[2] or ''
          local from=owner~='' and owner or redis.call('HGET',KEYS[1],'released') or '-'
          local reason=owner=='' and 'handed-over' or owner==ARGV[2] and 'local-copy-lost' or 'owner-lost'
          local hop=string.format('%d %s %s %s %.0f -\n',seen+1,from,ARGV[2],reason,t[1]*1000+math.floor(t[2]/1000))
          local hops=(redis.call('HGET',KEYS[1],'hops') or '')..hop
          local _,count=string.gsub(hops,'\n','')
          if count>20 then hops=string.gsub(hops,'^[^\n]*\n','',1) end
          redis.call('HSET',KEYS[1],'owner',ARGV[2],'epoch',seen+1,'hops',hops)
        end
        for k=1,4 do redis.call('PEXPIRE',KEYS[k],ARGV[3]) end
        return {1,redis.call('HGETALL',KEYS[1]),calls,journal,state}
        """;

    /// <summary>Only the current epoch gives its session away.</summary>
    /// <remarks>ARGV: epoch.</remarks>
    public const string Release = Fence + """
        if r[5]~='' then redis.call('HSET',KEYS[1],'owner','','released',r[5]) end
        return 1
        """;

    /// <summary>Only the current epoch ends its session; nothing but the mark is left.</summary>
    /// <remarks>ARGV: epoch, lifetime of the mark.</remarks>
    public const string End = """
        if redis.call('HGET',KEYS[1],'ended')==ARGV[1] then return 1 end

        """ + Fence + """
        redis.call('DEL',KEYS[1],KEYS[2],KEYS[3],KEYS[4])
        redis.call('HSET',KEYS[1],'ended',ARGV[1])
        redis.call('PEXPIRE',KEYS[1],ARGV[2])
        return 1
        """;

    /// <summary>A write-back replaces what is older or misses commits, and nothing else. The journal that is left is only added to.</summary>
    /// <remarks>
    /// ARGV: epoch, owner, commit number, lifetime, counts of fields, calls, state and entries, then those. A waiting entry that is not
    /// among them has been moved to a stream since, by a commit that was lost.
    /// </remarks>
    public const string WriteBack = """
        if redis.call('EXISTS',KEYS[1])==1 then
          local r=redis.call('HMGET',KEYS[1],'epoch','owner','commit','ended')
          if r[4] then return 0 end
          local epoch,n,mine=tonumber(r[1]),tonumber(r[3]),tonumber(ARGV[1])
          if not (epoch and n) then return redis.error_reply('GARBAGE record') end
          if epoch>mine or (epoch==mine and r[2]~=ARGV[2]) then return 0 end
          if epoch==mine and n>=tonumber(ARGV[3]) then return 1 end
        end
        redis.call('DEL',KEYS[1],KEYS[3],KEYS[4])
        local i=9
        local function fill(key,pairs)
          for _=1,pairs do
            redis.call('HSET',key,ARGV[i],ARGV[i+1])
            i=i+2
          end
        end
        fill(KEYS[1],tonumber(ARGV[5]))
        fill(KEYS[3],tonumber(ARGV[6]))
        fill(KEYS[4],tonumber(ARGV[7]))

        local appends,entries,bytes,top,given=tonumber(ARGV[8]),0,0,0,{}
        for k=i,#ARGV,6 do given[ARGV[k]]=true end
        for _,entry in ipairs(redis.call('XRANGE',KEYS[2],'-','+')) do
          local position=string.match(entry[1],'^(%d+)')
          if entry[2][2]=='w' and not given[position] then
            redis.call('XDEL',KEYS[2],entry[1])
          else
            entries=entries+1
            bytes=bytes+#(entry[2][10] or '')
          end
          top=tonumber(position)
        end
        while appends>0 and tonumber(ARGV[i])<=top do
          appends=appends-1
          i=i+6
        end

        """ + AppendEntries + """
        redis.call('HSET',KEYS[1],'entries',entries,'bytes',bytes)
        for k=1,4 do redis.call('PEXPIRE',KEYS[k],ARGV[4]) end
        return 1
        """;

    /// <summary>Reads one page of the journal and answers only what is of one stream, or of all.</summary>
    /// <remarks>KEYS: journal. ARGV: first position, stream (empty: all), page length. Answers {id of the page's last entry or empty at the end, entries}.</remarks>
    public const string ReadJournal = """
        local page,found=redis.call('XRANGE',KEYS[1],ARGV[1]..'-0','+','COUNT',ARGV[3]),{}
        for _,entry in ipairs(page) do
          if ARGV[2]=='' or entry[2][2]==ARGV[2] then found[#found+1]=entry end
        end
        if #page<tonumber(ARGV[3]) then return {'',found} end
        return {page[#page][1],found}
        """;

    /// <summary>A handle that exists is left as it is.</summary>
    /// <remarks>KEYS: handle. ARGV: user, lifetime.</remarks>
    public const string CreateHandle = """
        if redis.call('EXISTS',KEYS[1])==0 then
          redis.call('HSET',KEYS[1],'user',ARGV[1],'version',0)
          redis.call('PEXPIRE',KEYS[1],ARGV[2])
        end
        return 1
        """;

    /// <summary>Whoever reads a handle keeps it alive.</summary>
    /// <remarks>KEYS: handle, applied. ARGV: lifetime.</remarks>
    public const string ReadHandle = """
        for k=1,2 do redis.call('PEXPIRE',KEYS[k],ARGV[1]) end
        return redis.call('HGETALL',KEYS[1])
        """;

    /// <summary>A call is applied once, and only to the version that it has read.</summary>
    /// <remarks>
    /// KEYS: handle, applied. ARGV: 1 version, 2 call, 3 response, 4 calls to remember, 5 lifetime, 6 count of writes, then those.
    /// Answers {-1} unknown, {0} conflict, {1} committed, {2, response} applied before.
    /// </remarks>
    public const string CommitHandle = """
        local version=redis.call('HGET',KEYS[1],'version')
        if not version then
          if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
          return {-1}
        end
        local applied=redis.call('HGET',KEYS[2],'r:'..ARGV[2])
        if applied then return {2,applied} end
        if version~=ARGV[1] then
          if not tonumber(version) then return redis.error_reply('GARBAGE record') end
          return {0}
        end
        local i=7

        """ + Change + """
        change(KEYS[1],'k:',tonumber(ARGV[6]))
        local slot='s:'..(tonumber(version)%tonumber(ARGV[4]))
        local oldest=redis.call('HGET',KEYS[2],slot)
        if oldest then redis.call('HDEL',KEYS[2],'r:'..oldest) end
        redis.call('HSET',KEYS[2],slot,ARGV[2],'r:'..ARGV[2],ARGV[3])
        redis.call('HSET',KEYS[1],'version',tonumber(version)+1)
        for k=1,2 do redis.call('PEXPIRE',KEYS[k],ARGV[5]) end
        return {1}
        """;

    /// <summary>A key that is there stays as it is: two replicas that make the first one at the same time get both.</summary>
    /// <remarks>KEYS: keys. ARGV: id and bytes of each key that should be there. Answers all of them.</remarks>
    public const string ShareKeys = """
        for i=1,#ARGV,2 do redis.call('HSETNX',KEYS[1],ARGV[i],ARGV[i+1]) end
        return redis.call('HGETALL',KEYS[1])
        """;

    /// <summary>All ages are measured by one clock, that of Redis; who was silent for too long is removed.</summary>
    /// <remarks>
    /// KEYS: replicas. ARGV: replica id (empty: only look), its JSON, milliseconds of silence. Answers the run and its age in ms, then id, age in
    /// ms, JSON of each replica. A new run begins when the mark of the old one is gone with all the rest, or was made by another server process.
    /// </remarks>
    public const string Beat = """
        local t=redis.call('TIME')
        local now=t[1]*1000+math.floor(t[2]/1000)
        local stamp=string.format('%.0f',now)
        local info=redis.pcall('INFO','server')
        local server=type(info)=='string' and string.match(info,'run_id:(%w+)') or '-'
        local known,since=string.match(redis.call('HGET',KEYS[1],':run') or '','^(%S+) (%d+)$')
        if known~=server then
          since=stamp
          redis.call('HSET',KEYS[1],':run',server..' '..since)
        end
        if ARGV[1]~='' then redis.call('HSET',KEYS[1],ARGV[1],stamp..' '..ARGV[2]) end
        local all,alive=redis.call('HGETALL',KEYS[1]),{server..'-'..since,math.max(0,now-tonumber(since))}
        for i=1,#all,2 do if all[i]~=':run' then
          local beat,json=string.match(all[i+1],'^(%d+) (.*)$')
          local age=beat and math.max(0,now-tonumber(beat))
          if age and age<=tonumber(ARGV[3]) then
            alive[#alive+1]=all[i]
            alive[#alive+1]=age
            alive[#alive+1]=json
          else
            redis.call('HDEL',KEYS[1],all[i])
          end
        end end
        return alive
        """;
}
