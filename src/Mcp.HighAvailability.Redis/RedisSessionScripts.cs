namespace Mcp.HighAvailability.Redis;

/// <summary>
/// The scripts of sessions. Each runs as one step on keys of one hash slot. Those that write a session answer 1 committed, 0 fenced, -1 lost,
/// as <c>CommitResult</c> documents them; a record that cannot be understood is the error <c>GARBAGE</c>.
/// </summary>
/// <remarks>
/// KEYS of a session: 1 record, 2 journal, 3 calls, 4 state. The journal is a list of entries as <see cref="RedisJournalEntry"/> writes them, in
/// ascending position. Redis does not roll a script back, so a script checks everything that it can refuse before its first write.
/// </remarks>
internal static class RedisSessionScripts
{
    // Passes only for the current epoch, ARGV[1]. Leaves commit number, entries, bytes, owner and position in r[2] to r[6].
    private const string Fence = """
        local r=redis.call('HMGET',KEYS[1],'epoch','commit','entries','bytes','owner','position')
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

    // Position, payload bytes, time and stream of a journal entry. An entry that cannot be understood counts as the oldest.
    private const string Head = """
        local function head(entry)
          local position,time,stream,answers,rest=string.match(entry,'^(%d+) (%d+) %d+ (%w+) (%d+) ()')
          if not position then return 0,#entry,0,'' end
          return tonumber(position),#entry+1-rest-tonumber(answers),tonumber(time),stream
        end

        """;

    // Takes out ARGV[i] and following positions, removals in number. They are found by bisection, marked, and removed together.
    private const string Remove = """
        local marked,last={},redis.call('LLEN',KEYS[2])-1
        local guess
        for _=1,removals do
          local position,low,high=tonumber(ARGV[i]),0,last
          while low<=high do
            local at=guess or math.floor((low+high)/2)
            guess=nil
            local found,size=head(redis.call('LINDEX',KEYS[2],at))
            if found==position then
              if not marked[at] then entries,bytes=entries-1,bytes-size end
              marked[at]=true
              if at<last then guess=at+1 end
              break
            elseif found<position then low=at+1
            else high=at-1 end
          end
          i=i+1
        end
        for at in pairs(marked) do redis.call('LSET',KEYS[2],at,'') end
        if next(marked) then redis.call('LREM',KEYS[2],0,'') end

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
    /// ARGV: 1 epoch, 2 number, 3 last position, 4 most entries, 5 most bytes, 6 lifetime, 7 owner (empty: any), 8 count of appends; if there are any,
    /// position of the first, payload bytes of all, and the entries. Most commits only append and end here, so that Redis has little to read. The
    /// others go on with: oldest time to keep on a touch (0: no touch), counts of removals, unread entries, changes of calls, state and handshake, then those,
    /// and perhaps how long the last take-over took. Calls and state, KEYS 3 and 4, are given only if they are changed or touched. Trims a sixteenth below
    /// a bound that is passed, as <c>JournalTrimming</c> does, and leaves unread entries. Answers -2 position used before, -1 lost, 0 fenced, 1 and the
    /// number of trimmed entries committed.
    /// </remarks>
    public const string Commit = Fence + """
        if ARGV[7]~='' and ARGV[7]~=r[5] then return 0 end
        local n,entries,bytes,position=tonumber(r[2]),tonumber(r[3]),tonumber(r[4]),tonumber(r[6])
        if not (n and entries and bytes and position) then return redis.error_reply('GARBAGE record') end
        local number=tonumber(ARGV[2])
        if number<=n then return 1 end
        if number>n+1 then return -1 end

        local appends,i=tonumber(ARGV[8]),9
        if appends>0 then
          if tonumber(ARGV[9])<=position then return -2 end
          local last=10+appends
          for from=11,last,1000 do redis.call('RPUSH',KEYS[2],unpack(ARGV,from,math.min(from+999,last))) end
          if entries==0 then redis.call('PEXPIRE',KEYS[2],ARGV[6]) end
          entries=entries+appends
          bytes=bytes+tonumber(ARGV[10])
          i=last+1
        end

        local oldest,trimmed,unread=0,0
        if i<=#ARGV then
          oldest=tonumber(ARGV[i])
          local removals,unreads,calls,state,handshake=tonumber(ARGV[i+1]),tonumber(ARGV[i+2]),tonumber(ARGV[i+3]),tonumber(ARGV[i+4]),tonumber(ARGV[i+5])
          i=i+6
          if removals>0 then

        """ + Head + Remove + """
          end
          if unreads>0 then
            unread={}
            for _=1,unreads do
              unread[tonumber(ARGV[i])]=true
              i=i+1
            end
          end

        """ + RedisScripts.Change + """
          if calls>0 and change(KEYS[3],'',calls) then redis.call('PEXPIRE',KEYS[3],ARGV[6]) end
          if state>0 and change(KEYS[4],'',state) then redis.call('PEXPIRE',KEYS[4],ARGV[6]) end
          if handshake>0 then change(KEYS[1],'h:',handshake) end
          if i<=#ARGV then
            local hops=redis.call('HGET',KEYS[1],'hops')
            if hops then redis.call('HSET',KEYS[1],'hops',(string.gsub(hops,'%-\n$',ARGV[i]..'\n'))) end
          end
        end

        local most,mostbytes=tonumber(ARGV[4]),tonumber(ARGV[5])
        if oldest>0 or entries>most or bytes>mostbytes then

        """ + Head + """
          local function trim(done,stays)
            local kept={}
            while true do
              local page,count=redis.call('LRANGE',KEYS[2],0,15),0
              for _,entry in ipairs(page) do
                local position,size,time=head(entry)
                if entries-#kept<=1 or done(time) then break end
                count=count+1
                if stays and stays[position] then kept[#kept+1]=entry
                else entries,bytes,trimmed=entries-1,bytes-size,trimmed+1 end
              end
              if count>0 then redis.call('LTRIM',KEYS[2],count,-1) end
              if count==0 or count<#page then break end
            end
            for k=#kept,1,-1 do redis.call('LPUSH',KEYS[2],kept[k]) end
          end
          if oldest>0 then
            trim(function(time) return time>=oldest end)
            for k=1,4 do redis.pcall('PEXPIRE',KEYS[k],ARGV[6]) end
          end
          if entries>most or bytes>mostbytes then
            local left,leftbytes=most-math.floor(most/16),mostbytes-math.floor(mostbytes/16)
            trim(function() return entries<=left and bytes<=leftbytes end,unread)
          end
        end
        redis.call('HSET',KEYS[1],'position',ARGV[3],'commit',ARGV[2],'entries',entries,'bytes',bytes)
        return 1+trimmed
        """;

    /// <summary>Raises the epoch by one for one of all replicas that saw it. The winner, also on repetition, reads the session in the same step.</summary>
    /// <remarks>ARGV: epoch seen, new owner, lifetime. Notes who had it, who has it, why and when, as <c>RedisHops</c> reads it. Answers {-1} unknown,
    /// {0, fields of the owner} refused, {1, record, calls, journal, state} taken.</remarks>
    public const string TakeOver = """
        local r=redis.call('HMGET',KEYS[1],'epoch','owner','ended')
        if r[3] then return {-1} end
        local epoch,seen=tonumber(r[1]),tonumber(ARGV[1])
        if not epoch then
          if redis.call('EXISTS',KEYS[1])==1 then return redis.error_reply('GARBAGE record') end
          return {-1}
        end
        if epoch~=seen and (epoch~=seen+1 or r[2]~=ARGV[2]) then return {0,redis.call('HMGET',KEYS[1],'ended','owner','epoch','position','commit')} end
        local calls,journal,state=redis.call('HGETALL',KEYS[3]),redis.call('LRANGE',KEYS[2],0,-1),redis.call('HGETALL',KEYS[4])
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
        for k=1,4 do redis.pcall('PEXPIRE',KEYS[k],ARGV[3]) end
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
    /// ARGV: 1 epoch, 2 owner, 3 commit number, 4 lifetime, 5 to 7 counts of fields, calls and state, then those, then the entries. A waiting entry that
    /// is not among them has been moved to a stream since, by a commit that was lost.
    /// </remarks>
    public const string WriteBack = Head + """
        if redis.call('EXISTS',KEYS[1])==1 then
          local r=redis.call('HMGET',KEYS[1],'epoch','owner','commit','ended')
          if r[4] then return 0 end
          local epoch,n,mine=tonumber(r[1]),tonumber(r[3]),tonumber(ARGV[1])
          if not (epoch and n) then return redis.error_reply('GARBAGE record') end
          if epoch>mine or (epoch==mine and r[2]~=ARGV[2]) then return 0 end
          if epoch==mine and n>=tonumber(ARGV[3]) then return 1 end
        end
        local left=redis.call('LRANGE',KEYS[2],0,-1)
        redis.call('DEL',KEYS[1],KEYS[3],KEYS[4])
        local i=8
        local function fill(key,pairs)
          for _=1,pairs do
            redis.call('HSET',key,ARGV[i],ARGV[i+1])
            i=i+2
          end
        end
        fill(KEYS[1],tonumber(ARGV[5]))
        fill(KEYS[3],tonumber(ARGV[6]))
        fill(KEYS[4],tonumber(ARGV[7]))

        local entries,bytes,top,moved,given=0,0,0,false,{}
        for k=i,#ARGV do given[(head(ARGV[k]))]=true end
        for index,entry in ipairs(left) do
          local position,size,_,stream=head(entry)
          if stream=='w' and not given[position] then
            redis.call('LSET',KEYS[2],index-1,'')
            moved=true
          else
            entries,bytes=entries+1,bytes+size
          end
          top=math.max(top,position)
        end
        if moved then redis.call('LREM',KEYS[2],0,'') end
        for k=i,#ARGV do
          local position,size=head(ARGV[k])
          if position>top then
            redis.call('RPUSH',KEYS[2],ARGV[k])
            entries,bytes=entries+1,bytes+size
          end
        end
        redis.call('HSET',KEYS[1],'entries',entries,'bytes',bytes)
        for k=1,4 do redis.pcall('PEXPIRE',KEYS[k],ARGV[4]) end
        return 1
        """;

    /// <summary>Reads one page of the journal and answers only what is of one stream, or of all.</summary>
    /// <remarks>KEYS: journal. ARGV: position to start behind, stream (empty: all), page length. Answers {position of the page's last entry or 0 at the
    /// end, entries}.</remarks>
    public const string ReadJournal = Head + """
        local after,length=tonumber(ARGV[1]),tonumber(ARGV[3])
        local low,high=0,redis.call('LLEN',KEYS[1])
        while low<high do
          local at=math.floor((low+high)/2)
          if (head(redis.call('LINDEX',KEYS[1],at)))<=after then low=at+1 else high=at end
        end
        local page,found,last=redis.call('LRANGE',KEYS[1],low,low+length-1),{},0
        for _,entry in ipairs(page) do
          local position,_,_,stream=head(entry)
          if ARGV[2]=='' or stream==ARGV[2] then found[#found+1]=entry end
          last=position
        end
        return {#page<length and 0 or last,found}
        """;
}
